/* Server-sent events: bytes in, events out, whatever the borders of the reads (WHATWG HTML, section 9.2). */
#ifndef TG_SSE_H
#define TG_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

/* A longer line or event is not a token stream; without this bound a server could fill our memory. */
#define TG_EVENT_BYTES_MAX 1048576

typedef enum { TG_UNNAMED, TG_NAMED, TG_NAMED_ERROR } tg_event_name;

/* One event: its data lines joined by line feeds; they are gone when the one who takes it returns. */
typedef struct {
  const char *data;
  size_t length;
  tg_event_name name;
} tg_event;

typedef void tg_event_taker(void *taker, const tg_event *event);

typedef enum { TG_SSE_FINE, TG_SSE_TOO_LONG, TG_SSE_NO_MEMORY } tg_sse_state;

typedef struct {
  tg_buffer rest;  /* a line whose end has not come yet */
  tg_buffer data;  /* the data lines so far of an event whose end has not come yet */
  uint32_t lines;  /* how many they are: one may be empty */
  uint8_t name;    /* tg_event_name */
  bool after_cr;   /* the last byte was a CR: an LF now would belong to it */
  bool begun;      /* past the place where a byte order mark may stand */
} tg_sse;

/* Whether the next byte begins a new event, so that a caller may recognize a whole one himself. */
bool tg_sse_idle(const tg_sse *sse);

/* Give every event that `chunk` completes to `take`. After anything but TG_SSE_FINE the stream is of no more use. */
tg_sse_state tg_sse_feed(tg_sse *sse, const char *chunk, size_t length, tg_event_taker *take, void *taker);

/* Give the event that lacks only its blank line, as servers leave it that end with [DONE]. */
tg_sse_state tg_sse_finish(tg_sse *sse, tg_event_taker *take, void *taker);

void tg_sse_release(tg_sse *sse);

#endif
