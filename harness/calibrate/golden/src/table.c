#include "table.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 1024 /* an answer may come with a table of delays of 64 KiB */

static uint32_t slot_of(const gt_ask *ask) { /* FNV-1a */
  uint64_t value = 14695981039346656037u;
  uint64_t rest = (uint64_t)ask->max_tokens << 3 | ask->completions << 2 | ask->stream << 1 | ask->usage;
  for (uint64_t i = 0; i < ask->line.length; i++) value = (value ^ (unsigned char)ask->line.bytes[i]) * 1099511628211u;
  for (; rest; rest >>= 8) value = (value ^ (rest & 0xff)) * 1099511628211u;
  return (uint32_t)(value ^ value >> 32) % GT_TABLE_SLOTS;
}

static bool asks_the_same(const gt_ask *one, const gt_ask *other) {
  return one->max_tokens == other->max_tokens && one->completions == other->completions &&
         one->stream == other->stream && one->usage == other->usage && one->line.length == other->line.length &&
         (one->line.length == 0 || memcmp(one->line.bytes, other->line.bytes, one->line.length) == 0);
}

gt_entry *gt_table_find(gt_table *table, const gt_ask *ask) {
  gt_entry *entry = table->slots[slot_of(ask)];
  while (entry != NULL && !asks_the_same(&entry->ask, ask)) entry = entry->next;
  return entry;
}

static gt_entry *entry_new(const gt_ask *ask, const gt_answer *answer, int64_t number) {
  gt_entry *entry = malloc(sizeof *entry + ask->line.length);
  if (entry == NULL) return NULL;
  *entry = (gt_entry){.answer = *answer, .number = number, .ask = *ask, .holders = 1};
  if (ask->line.length) memcpy(entry->line, ask->line.bytes, ask->line.length);
  entry->ask.line.bytes = entry->line;
  return entry;
}

gt_entry *gt_table_add(gt_table *table, const gt_ask *ask, const gt_answer *answer, int64_t number) {
  if (table->count == ENTRIES_MAX) gt_table_empty(table);
  gt_entry *entry = entry_new(ask, answer, number), **slot = &table->slots[slot_of(ask)];
  if (entry == NULL) {
    table->forget(number);
    return NULL;
  }
  entry->next = *slot;
  *slot = entry;
  table->count++;
  return entry;
}

gt_entry *gt_entry_hold(gt_entry *entry) {
  entry->holders++;
  return entry;
}

void gt_entry_let_go(gt_table *table, gt_entry *entry) {
  if (--entry->holders) return;
  table->forget(entry->number);
  free(entry);
}

void gt_table_empty(gt_table *table) {
  for (uint32_t i = 0; i < GT_TABLE_SLOTS; i++) {
    while (table->slots[i] != NULL) {
      gt_entry *entry = table->slots[i];
      table->slots[i] = entry->next;
      gt_entry_let_go(table, entry);
    }
  }
  table->count = 0;
}
