/* The load engine: sends arrivals when they are due and reads every answer, in a thread of its own that no
   interpreter can hold up. Python feeds arrivals ahead of time and takes finished records, many at once. */
#ifndef TG_ENGINE_H
#define TG_ENGINE_H

#include <stdint.h>

#include "api.h"
#include "body.h"
#include "histogram.h"
#include "record.h"

typedef struct tg_engine tg_engine;

/* An address of the target, or one of ours to connect from. `family` is AF_INET or AF_INET6. */
typedef struct {
  uint8_t bytes[16]; /* network order; IPv4 uses the first four */
  uint32_t scope;
  uint16_t port;
  uint16_t family;
} tg_address;

/* `connect_ns` is for all addresses together, `read_ns` between bytes, `request_ns` in all.
   `reuse`: keep connections alive. `keep_gaps`: keep every gap of every request. `stamps`: take the kernel's
   times. */
typedef struct {
  int64_t drain_ns;
  int64_t connect_ns;
  int64_t read_ns;
  int64_t request_ns;
  uint32_t stages;
  uint32_t max_in_flight;
  uint32_t max_idle;
  uint8_t reuse;
  uint8_t keep_gaps;
  uint8_t stamps;
  int8_t nice; /* the thread's, where the process may */
} tg_settings;

/* One planned request. Arrivals are fed in the order of `due_ns` (CLOCK_MONOTONIC). */
typedef struct {
  int64_t due_ns;
  uint64_t trace_high;
  uint64_t trace_low;
  uint64_t span;
  tg_body *body;
  uint8_t stage;
  uint8_t sampled;
  uint8_t stream;
  uint8_t unused[5];
} tg_arrival;

/* Live counters; the engine's thread writes them, anybody may read. A token read is a read that held at least one
   token, a shared one held several. */
typedef struct {
  uint64_t offered;
  uint64_t in_flight;
  uint64_t reconnects;
  uint64_t reads;
  uint64_t stamped_reads;
  uint64_t token_reads;
  uint64_t shared_token_reads;
  uint64_t finished;
} tg_counters;

/* Return an engine, or NULL when memory or descriptors are short. `head` is what every request begins with: the
   request line and headers, each ended by CRLF, without traceparent and Content-Length. */
TG_API tg_engine *tg_engine_new(const tg_settings *settings, const tg_address *targets, uint32_t targets_count,
                                const tg_address *sources, uint32_t sources_count, const char *head,
                                uint32_t head_length);

/* Free an engine that was never started or has been joined. */
TG_API void tg_engine_free(tg_engine *engine);

/* Hand over arrivals; each keeps a reference of its body. Returns 0, or ENOMEM. */
TG_API int tg_engine_feed(tg_engine *engine, const tg_arrival *arrivals, uint64_t count);

/* No more arrivals will come: when all are sent the drain begins. */
TG_API void tg_engine_end_feed(tg_engine *engine);

/* Begin. Returns 0 or the error of pthread_create. */
TG_API int tg_engine_start(tg_engine *engine);

/* End early: what is open or not yet due becomes CANCELLED. */
TG_API void tg_engine_stop(tg_engine *engine);

/* Wait for the thread's end. */
TG_API void tg_engine_join(tg_engine *engine);

/* Take the records that have finished since the last call; both arrays stay valid until the next one. */
TG_API uint64_t tg_engine_take(tg_engine *engine, const tg_record **records, const int64_t **gaps,
                               uint64_t *gaps_count);

TG_API const tg_counters *tg_engine_counters(const tg_engine *engine);
TG_API const tg_histogram *tg_engine_itl(const tg_engine *engine, uint32_t stage);
TG_API const tg_histogram *tg_engine_ttft(const tg_engine *engine); /* first token - due, of every one so far */
TG_API const tg_histogram *tg_engine_lag(const tg_engine *engine);

/* Return the text of a record's `error` or `finish_reason`. */
TG_API const char *tg_engine_word(const tg_engine *engine, uint16_t number);

/* Hold the thread up for a while: for tests of what a busy machine does. */
TG_API void tg_engine_hold(tg_engine *engine, int64_t nanoseconds);

/* Sizes of the structs above, for the caller to check his own against: settings, address, arrival, record,
   counters, histogram. */
TG_API void tg_engine_sizes(uint32_t sizes[6]);

#endif
