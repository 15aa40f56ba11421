/* The test's way into an exchange. */
#include "replay.h"

#include <stdlib.h>
#include <string.h>

#include "exchange.h"

/* Each read lies in a block of its own, exactly as long, so that a sanitizer sees every byte read beyond it. */
static bool feed_copy(tg_exchange *exchange, const char *data, size_t length, int64_t now_ns) {
  char *copy = malloc(length ? length : 1);
  if (copy == NULL) return true;
  memcpy(copy, data, length);
  bool ended = tg_exchange_feed(exchange, copy, length, now_ns);
  free(copy);
  return ended;
}

static void read_all(tg_exchange *exchange, const char *data, const uint32_t *lengths, const int64_t *read_ns,
                     uint32_t reads, int eof) {
  for (uint32_t i = 0; i < reads; data += lengths[i++]) {
    if (feed_copy(exchange, data, lengths[i], read_ns[i])) break;
  }
  if (eof && exchange->outcome == TG_OPEN) tg_exchange_eof(exchange, read_ns[reads]);
}

int tg_replay(int stream, int keep_gaps, const char *data, const uint32_t *read_lengths, const int64_t *read_ns,
              uint32_t reads, int eof, tg_record *record, int64_t *gaps, uint32_t gaps_max, char *error,
              char *finish_reason, int *reusable) {
  tg_exchange exchange;
  tg_exchange_shared shared = {.words = tg_words_new(), .keep_gaps = keep_gaps};
  tg_histogram *itl = calloc(1, sizeof *itl);
  if (shared.words == NULL || itl == NULL) {
    tg_words_free(shared.words);
    free(itl);
    return -1;
  }
  tg_exchange_init(&exchange, &shared, itl, stream);
  read_all(&exchange, data, read_lengths, read_ns, reads, eof);

  memset(record, 0, sizeof *record);
  tg_exchange_fill(&exchange, record);
  uint32_t kept = record->gaps < gaps_max ? record->gaps : gaps_max;
  if (kept > 0) memcpy(gaps, exchange.gaps, kept * sizeof *gaps);
  strcpy(error, tg_words_text(shared.words, record->error));
  strcpy(finish_reason, tg_words_text(shared.words, record->finish_reason));
  *reusable = exchange.reusable;

  tg_exchange_release(&exchange);
  tg_words_free(shared.words);
  free(itl);
  return 0;
}

uint32_t tg_sizeof_exchange(void) { return sizeof(tg_exchange); }
uint32_t tg_sizeof_record(void) { return sizeof(tg_record); }
