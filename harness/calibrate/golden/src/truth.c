#include "truth.h"

#include <stdlib.h>

#define FIRST_ROWS 1024

static int grow(gt_truth *truth) {
  if (truth->capacity > UINT32_MAX / 2) return 0;
  uint32_t capacity = truth->capacity ? 2 * truth->capacity : FIRST_ROWS;
  gt_row *rows = realloc(truth->rows, capacity * sizeof *rows);
  if (rows == NULL) return 0;
  truth->rows = rows;
  truth->capacity = capacity;
  return 1;
}

gt_row *gt_truth_begin(gt_truth *truth, int64_t arrived_ns) {
  if (truth->count == truth->capacity && !grow(truth)) return NULL;
  gt_row *row = &truth->rows[truth->count++];
  *row = (gt_row){.arrived_ns = arrived_ns, .first_write_ns = GT_NOT_YET, .last_write_ns = GT_NOT_YET};
  return row;
}
