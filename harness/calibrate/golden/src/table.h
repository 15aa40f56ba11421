/* The answers that Python has rendered, by what was asked: the same few come a million times. */
#ifndef GT_TABLE_H
#define GT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server.h"

#define GT_TABLE_SLOTS 2048

/* One answer; it lives as long as the table or a connection holds it. */
typedef struct gt_entry {
  gt_answer answer;
  struct gt_entry *next; /* in the same slot */
  int64_t number;        /* Python's */
  gt_ask ask;
  uint32_t holders;
  char line[];
} gt_entry;

typedef struct {
  gt_entry *slots[GT_TABLE_SLOTS];
  uint32_t count;
  void (*forget)(int64_t number);
} gt_table;

/* Return what `ask` gets, NULL where that is not known yet. The caller holds nothing of it. */
gt_entry *gt_table_find(gt_table *table, const gt_ask *ask);

/* Keep an answer; NULL when memory is short, and then it is forgotten. A full table lets go of all that it has. */
gt_entry *gt_table_add(gt_table *table, const gt_ask *ask, const gt_answer *answer, int64_t number);

gt_entry *gt_entry_hold(gt_entry *entry);
void gt_entry_let_go(gt_table *table, gt_entry *entry);
void gt_table_empty(gt_table *table);

#endif
