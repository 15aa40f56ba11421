/* The golden target's HTTP server: it answers from rendered bytes by a timetable, and logs when it really wrote.
   Python says what there is to answer and keeps the bytes; everything that happens for each token, each request and
   each connection is here. One thread per server. */
#ifndef GT_SERVER_H
#define GT_SERVER_H

#include <stdint.h>

#include "api.h"
#include "histogram.h"
#include "truth.h"

typedef struct gt_server gt_server;

typedef struct {
  const char *bytes; /* not NUL-terminated */
  uint64_t length;
} gt_text;

/* What of a request decides its answer. `line` is its own line of a timetable, empty where it has none. */
typedef struct {
  gt_text line;
  int64_t max_tokens; /* 0: it does not say */
  uint8_t completions; /* else chat */
  uint8_t stream;
  uint8_t usage;
} gt_ask;

/* The writes of one kind of answer and the delays before them; see answers.py, which makes it. Python keeps what the
   pointers lead to until `forget`. Tables have a power of two of entries; `stalls` are pairs (token, nanoseconds) in
   the order of the tokens. */
typedef struct {
  gt_text first, middle, last;
  const int64_t *first_ns, *gaps_ns, *stalls;
  uint32_t first_mask, gaps_mask, stalls_count;
  int32_t writes, tokens;
  int16_t status;
  uint8_t finishes, resets, stream;
} gt_answer;

/* Why a request is refused; http_server.py has the words. */
typedef enum {
  GT_TAKEN,
  GT_HEAD_TOO_LONG,
  GT_NOT_HTTP,
  GT_BAD_HEADER, /* with what the parser says */
  GT_BAD_LENGTH,
  GT_NO_LENGTH,
  GT_BODY_TOO_LONG,
  GT_NO_SUCH_PATH, /* with the path */
  GT_NOT_POSTED,
  GT_BAD_BODY, /* with what is wrong */
} gt_refusal;

/* What is asked of Python, rarely. A `reply` is a whole HTTP answer, valid until the next call; one without bytes is
   none. */
typedef struct {
  /* Render a new answer and return its number, from 1, or 0 and a refusal as the reply. */
  int64_t (*answer)(const gt_ask *ask, gt_answer *made, gt_text *reply);
  /* Nobody needs the answer of this number any more. */
  void (*forget)(int64_t number);
  void (*page)(const gt_text *path, gt_text *reply);
  void (*refuse)(int32_t refusal, const gt_text *detail, gt_text *reply);
} gt_callbacks;

/* The columns of a process's row of counts, which all processes of a target can read. */
enum { GT_FINISHED, GT_TOKENS, GT_REFUSED, GT_BROKEN, GT_RUNNING };

/* `stop`: a descriptor that is readable when the server shall end, or −1. `spin_ns`: what is due sooner than this is
   waited for by turning. */
typedef struct {
  int64_t *counts;
  int64_t spin_ns;
  int32_t listener;
  int32_t stop;
} gt_settings;

/* Return a server over a listening socket that does not block, or NULL when memory or descriptors are short. */
TG_API gt_server *gt_server_new(const gt_settings *settings, const gt_callbacks *callbacks);
TG_API void gt_server_free(gt_server *server);

/* Serve until `stop` is readable. */
TG_API void gt_server_run(gt_server *server);

/* Do what can be done now, for a caller with a loop of his own: when gt_server_fd is readable, and when the instant
   comes that the last turn returned (CLOCK_MONOTONIC; 0: none). */
TG_API int64_t gt_server_turn(gt_server *server);
TG_API int gt_server_fd(const gt_server *server);

/* What was written so far; the rows stay where they are until the server runs again. */
TG_API uint64_t gt_server_rows(const gt_server *server, const gt_row **rows);
TG_API const tg_histogram *gt_server_gaps(const gt_server *server);
TG_API const tg_histogram *gt_server_pace(const gt_server *server);

/* Sizes of the structs above, for the caller to check his own against: settings, ask, answer, row, histogram. */
TG_API void gt_server_sizes(uint32_t sizes[5]);

#endif
