/* Finished records on their way to Python. */
#include <stdlib.h>
#include <string.h>

#include "engine_state.h"

static bool grow(void **array, uint64_t *capacity, uint64_t needed, size_t item) {
  if (needed <= *capacity) return true;
  uint64_t wanted = *capacity ? *capacity * 2 : 1024;
  while (wanted < needed) wanted *= 2;
  void *larger = realloc(*array, wanted * item);
  if (!larger) return false;
  *array = larger;
  *capacity = wanted;
  return true;
}

/* A record that finds no memory is lost: the worker's file then has fewer than were planned, which the verdict
   sees. */
void tg_output_add(tg_engine *engine, const tg_record *record, const int64_t *gaps) {
  pthread_mutex_lock(&engine->lock);
  tg_output *ready = &engine->ready;
  if (grow((void **)&ready->records, &ready->capacity, ready->count + 1, sizeof *ready->records) &&
      grow((void **)&ready->gaps, &ready->gaps_capacity, ready->gaps_count + record->gaps, sizeof *ready->gaps)) {
    ready->records[ready->count++] = *record;
    if (record->gaps) memcpy(ready->gaps + ready->gaps_count, gaps, record->gaps * sizeof *gaps);
    ready->gaps_count += record->gaps;
  }
  pthread_mutex_unlock(&engine->lock);
}

uint64_t tg_engine_take(tg_engine *engine, const tg_record **records, const int64_t **gaps,
                        uint64_t *gaps_count) {
  pthread_mutex_lock(&engine->lock);
  tg_output taken = engine->ready;
  engine->ready = engine->taken;
  engine->ready.count = engine->ready.gaps_count = 0;
  engine->taken = taken;
  pthread_mutex_unlock(&engine->lock);
  *records = taken.records;
  *gaps = taken.gaps;
  *gaps_count = taken.gaps_count;
  return taken.count;
}
