/* The truth log: when each request arrived, when its first token was due, when it was really written. */
#ifndef GT_TRUTH_H
#define GT_TRUTH_H

#include <stdint.h>

#include "histogram.h"

#define GT_NOT_YET (-1)
#define GT_TRACE_BYTES 16

/* One request. Instants are CLOCK_MONOTONIC nanoseconds, taken immediately before the write. */
typedef struct {
  int64_t arrived_ns;
  int64_t first_due_ns;
  int64_t first_write_ns;
  int64_t last_write_ns;
  int32_t tokens;
  int32_t status;
  uint8_t trace[GT_TRACE_BYTES]; /* all zero: it carried none */
} gt_row;

/* `gaps`: between a stream's consecutive tokens. `pace`: |actual − due| of every write. */
typedef struct {
  gt_row *rows;
  uint32_t count, capacity;
  tg_histogram gaps, pace;
} gt_truth;

/* Append a request that has arrived; NULL when memory is short. The pointer holds until the next call. */
gt_row *gt_truth_begin(gt_truth *truth, int64_t arrived_ns);

#endif
