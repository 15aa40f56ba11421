/* What of a request's head the golden target needs. */
#ifndef GT_HEAD_H
#define GT_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server.h"

#define GT_HEAD_BYTES_MAX (64u << 10)
#define GT_BODY_BYTES_MAX (16u << 20)
#define GT_LINE_BYTES_MAX 1024

typedef struct {
  gt_text path; /* without the query */
  gt_text line; /* the value of x-golden */
  gt_text trace; /* the value of traceparent */
  uint64_t body_bytes;
  const char *problem; /* for GT_BAD_HEADER */
  bool get, post;
  bool closes; /* the connection ends with the answer */
} gt_head;

/* Read a head, from its first byte to the empty line that ends it. The texts point into it. */
gt_refusal gt_head_read(gt_head *head, const char *bytes, size_t length);

/* Read the trace id out of a traceparent; all zero where it has none. */
void gt_head_trace(const gt_head *head, uint8_t trace[GT_TRACE_BYTES]);

#endif
