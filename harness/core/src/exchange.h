/* One request's answer, from its bytes to its outcome: the fast twin of harness.wire.exchange.Exchange, which is
   the reference that the tests hold it to. */
#ifndef TG_EXCHANGE_H
#define TG_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "framing.h"
#include "histogram.h"
#include "record.h"
#include "sse.h"
#include "template.h"
#include "words.h"

/* What all exchanges of an engine share. `keep_gaps`: keep every gap of every request as well. */
typedef struct {
  tg_words *words;
  bool keep_gaps;
} tg_exchange_shared;

typedef struct tg_exchange tg_exchange;

struct tg_exchange {
  /* Public, for reading. */
  int64_t first_byte_ns, first_token_ns, last_token_ns, max_gap_ns, bytes_received;
  int32_t chunks, prompt_tokens, completion_tokens, cached_tokens;
  int16_t status; /* TG_NONE before the head; an interim answer's (1xx) until the final one's */
  uint16_t error, finish_reason;
  uint8_t outcome; /* tg_outcome; TG_OPEN until the answer has ended */
  bool reusable;   /* another request may follow on the same connection */
  int64_t *gaps;   /* with keep_gaps: chunks - 1 of them; tg_exchange_release frees it */
  uint32_t gaps_count;

  /* Private. What the hot path touches comes first. */
  bool stream;
  bool known;         /* the template holds for what comes next; false also while the parser is inside an event */
  bool done;          /* [DONE] has come */
  bool body_seen;     /* of a stream: at least one byte */
  bool events_seen;   /* at least one event */
  bool failed;        /* the stream held an error object */
  uint16_t failure;   /* its name */
  tg_template *template;
  tg_exchange_shared *shared;
  tg_histogram *itl;
  int64_t now_ns; /* the instant of the read that is being taken */
  tg_framing framing;
  tg_sse sse;
  tg_buffer body;      /* of an answer that is no stream */
  uint64_t body_bytes; /* ... and how long it would be if all of it had been kept */
  uint32_t gaps_capacity;
};

/* Begin an answer. Every gap between content chunks is counted into `itl`; chunks of one read are 0 apart. */
void tg_exchange_init(tg_exchange *exchange, tg_exchange_shared *shared, tg_histogram *itl, bool stream);

/* Take the bytes of one read with the read's instant; true when the answer has ended with them. */
bool tg_exchange_feed(tg_exchange *exchange, const char *data, size_t length, int64_t now_ns);

/* Take one piece of the answer's body: the framing's way back. */
void tg_exchange_take_body(tg_exchange *exchange, const char *body, size_t length);

/* Take the connection's end: the last word on an answer that is still open. */
void tg_exchange_eof(tg_exchange *exchange, int64_t now_ns);

/* End the answer, if it is open: ours (timeout, cancelled, ...) or found in the bytes. */
void tg_exchange_end(tg_exchange *exchange, tg_outcome outcome, const char *error);

/* Write what the answer was into `record`: everything but index, intended, sent, connected, end, reconnects, stage. */
void tg_exchange_fill(const tg_exchange *exchange, tg_record *record);

/* Free what the exchange holds. It may be initialized again afterwards. */
void tg_exchange_release(tg_exchange *exchange);

#endif
