/* What became of one arrival. Instants are nanoseconds of CLOCK_MONOTONIC; TG_NONE where it did not happen. */
#ifndef TG_RECORD_H
#define TG_RECORD_H

#include <stdint.h>

#define TG_NONE (-1)

/* The order of harness.measure.record.Outcome. */
typedef enum {
  TG_OK,
  TG_HTTP_ERROR,
  TG_REJECTED,
  TG_TIMEOUT,
  TG_REFUSED,
  TG_DISCONNECTED,
  TG_TRUNCATED,
  TG_MALFORMED,
  TG_EMPTY,
  TG_DROPPED,
  TG_CANCELLED,
  TG_OPEN = 255 /* no outcome yet */
} tg_outcome;

/* `error` and `finish_reason` are ids in the engine's table of words; 0 is none.
   `prompt_tokens`, `completion_tokens` and `cached_tokens` are the server's usage, TG_NONE where it told none.
   `index` counts the arrivals as they were fed. `gaps` is how many entries of the gap array belong to it. */
typedef struct {
  int64_t index;
  int64_t intended_ns;
  int64_t sent_ns;
  int64_t connected_ns;
  int64_t first_byte_ns;
  int64_t first_token_ns;
  int64_t last_token_ns;
  int64_t end_ns;
  int64_t max_gap_ns;
  int64_t bytes_received;
  int32_t prompt_tokens;
  int32_t completion_tokens;
  int32_t cached_tokens;
  int32_t chunks;
  uint32_t gaps;
  int16_t http_status;
  uint16_t error;
  uint16_t finish_reason;
  uint8_t outcome;
  uint8_t reconnects;
  uint8_t stage;
  uint8_t unused[7];
} tg_record;

#endif
