/* What a request asks, out of its body and its head: the fields that decide the answer; all others are skipped. */
#ifndef GT_ASK_H
#define GT_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "head.h"
#include "server.h"
#include "yyjson.h"

#define GT_PROBLEM_BYTES 160

/* Where bodies are read: the small ones, which are the many, without malloc. */
typedef struct {
  char problem[GT_PROBLEM_BYTES]; /* why the last body is none, NUL-terminated */
  tg_buffer line;                 /* the last ask's */
  yyjson_alc allocator;
  char pool[64 << 10];
} gt_reader;

/* Read a body into all of `ask` but its API; false with a problem. The ask's line is the reader's. A line in the body
   goes before one in the head, which counts in lower case, as all of a head does. */
bool gt_ask_read(gt_reader *reader, gt_ask *ask, const gt_head *head, const char *body, size_t length);

#endif
