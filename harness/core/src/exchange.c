#include "exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "chunk.h"
#include "error_type.h"

#define ERROR_BODY_BYTES_MAX (64u << 10)
#define ANSWER_BYTES_MAX (64u << 20)
#define STRING(number) STRING_OF(number)
#define STRING_OF(number) #number

void tg_exchange_init(tg_exchange *exchange, tg_exchange_shared *shared, tg_histogram *itl, bool stream) {
  memset(exchange, 0, sizeof *exchange);
  exchange->first_byte_ns = exchange->first_token_ns = exchange->last_token_ns = TG_NONE;
  exchange->prompt_tokens = exchange->completion_tokens = exchange->cached_tokens = TG_NONE;
  exchange->status = TG_NONE;
  exchange->outcome = TG_OPEN;
  exchange->stream = stream;
  exchange->shared = shared;
  exchange->itl = itl;
  tg_framing_init(exchange);
}

void tg_exchange_release(tg_exchange *exchange) {
  free(exchange->gaps);
  exchange->gaps = NULL;
  exchange->gaps_count = exchange->gaps_capacity = 0;
  free(exchange->template);
  exchange->template = NULL;
  exchange->known = false;
  tg_sse_release(&exchange->sse);
  tg_buffer_clear(&exchange->body);
}

static uint16_t word(tg_exchange *exchange, const char *text) {
  return tg_words_number(exchange->shared->words, text, strlen(text));
}

static void end(tg_exchange *exchange, tg_outcome outcome, uint16_t error) {
  if (exchange->outcome != TG_OPEN) return;
  exchange->outcome = (uint8_t)outcome;
  exchange->error = error;
  if (outcome != TG_OK && !exchange->framing.complete) exchange->reusable = false;
}

void tg_exchange_end(tg_exchange *exchange, tg_outcome outcome, const char *error) {
  end(exchange, outcome, error == NULL ? 0 : word(exchange, error));
}

/* End as something whose name is made of a kind and what a parser says. */
static void end_malformed(tg_exchange *exchange, const char *kind, const char *what) {
  char name[TG_WORD_BYTES];
  snprintf(name, sizeof name, "%s: %s", kind, what);
  tg_exchange_end(exchange, TG_MALFORMED, name);
}

static void keep_gap(tg_exchange *exchange, int64_t gap_ns) {
  if (exchange->gaps_count == exchange->gaps_capacity) {
    uint32_t capacity = exchange->gaps_capacity ? 2 * exchange->gaps_capacity : 16;
    int64_t *gaps = realloc(exchange->gaps, capacity * sizeof *gaps);
    if (gaps == NULL) return;
    exchange->gaps = gaps;
    exchange->gaps_capacity = capacity;
  }
  exchange->gaps[exchange->gaps_count++] = gap_ns;
}

static inline void count_chunk(tg_exchange *exchange) {
  int64_t now_ns = exchange->now_ns;
  if (exchange->chunks++ == 0) {
    exchange->first_token_ns = now_ns;
  } else {
    int64_t gap_ns = now_ns - exchange->last_token_ns;
    tg_histogram_add(exchange->itl, gap_ns);
    if (gap_ns > exchange->max_gap_ns) exchange->max_gap_ns = gap_ns;
    if (exchange->shared->keep_gaps) keep_gap(exchange, gap_ns);
  }
  exchange->last_token_ns = now_ns;
}

static void take_answer(tg_exchange *exchange, const tg_answer *answer) {
  if (answer->texts > 0) count_chunk(exchange);
  if (answer->finish_reason.length > 0)
    exchange->finish_reason =
        tg_words_number(exchange->shared->words, answer->finish_reason.bytes, answer->finish_reason.length);
  if (!answer->has_usage) return;
  exchange->prompt_tokens = answer->usage.prompt_tokens;
  exchange->completion_tokens = answer->usage.completion_tokens;
  exchange->cached_tokens = answer->usage.cached_tokens;
}

/* Only an event that says nothing but one text teaches what the next ones look like. */
static void learn(tg_exchange *exchange, const tg_event *event, const tg_answer *answer) {
  if (event->name != TG_UNNAMED || answer->has_usage || answer->finish_reason.length > 0 || answer->texts != 1) return;
  if (tg_template_learn(&exchange->template, event->data, event->length, answer->text.bytes, answer->text.length))
    exchange->known = true;
}

static void fail(tg_exchange *exchange, yyjson_val *error) {
  char name[TG_ERROR_TYPE_BYTES];
  size_t length = tg_error_type(name, "stream: ", error);
  exchange->failed = true;
  exchange->failure = tg_words_number(exchange->shared->words, name, length);
  exchange->known = false;
}

static void take_json(tg_exchange *exchange, const tg_event *event, tg_answer *answer) {
  if (!tg_answer_decode(answer, event->data, event->length)) {
    exchange->known = false;
    end_malformed(exchange, "json", answer->problem);
  } else if (answer->error != NULL || event->name == TG_NAMED_ERROR) {
    fail(exchange, answer->error);
  } else {
    take_answer(exchange, answer);
    learn(exchange, event, answer);
  }
}

static bool is_done(const char *data, size_t length) { return length == 6 && memcmp(data, "[DONE]", 6) == 0; }

static void take_event(void *taker, const tg_event *event) {
  tg_exchange *exchange = taker;
  exchange->events_seen = true;
  if (exchange->done || exchange->failed || exchange->outcome != TG_OPEN) return;
  if (is_done(event->data, event->length)) {
    exchange->done = true;
    exchange->known = false;
    return;
  }
  tg_answer answer;
  take_json(exchange, event, &answer);
  tg_answer_release(&answer);
}

static void end_by_sse(tg_exchange *exchange, tg_sse_state state) {
  if (state == TG_SSE_TOO_LONG)
    end_malformed(exchange, "sse", "an event of more than " STRING(TG_EVENT_BYTES_MAX) " bytes");
  else if (state == TG_SSE_NO_MEMORY)
    end_malformed(exchange, "sse", "out of memory");
}

static void take_events(tg_exchange *exchange, const char *body, size_t length) {
  exchange->body_seen = true;
  if (exchange->outcome != TG_OPEN) return;
  end_by_sse(exchange, tg_sse_feed(&exchange->sse, body, length, take_event, exchange));
  if (!tg_sse_idle(&exchange->sse)) exchange->known = false;
}

/* Of an error answer the beginning is enough; a piece that would pass the bound and all behind it are left out. */
static void keep(tg_exchange *exchange, const char *body, size_t length) {
  bool failed = exchange->status != 200;
  exchange->body_bytes += length;
  if (exchange->body_bytes <= (failed ? ERROR_BODY_BYTES_MAX : ANSWER_BYTES_MAX)) {
    if (!tg_buffer_append(&exchange->body, body, length)) end_malformed(exchange, "body", "out of memory");
  } else if (!failed) {
    tg_exchange_end(exchange, TG_MALFORMED, "answer too long");
  }
}

void tg_exchange_take_body(tg_exchange *exchange, const char *body, size_t length) {
  if (exchange->known && tg_template_matches(exchange->template, body, length))
    count_chunk(exchange);
  else if (exchange->stream && exchange->status == 200)
    take_events(exchange, body, length);
  else
    keep(exchange, body, length);
}

static void end_by_content(tg_exchange *exchange) {
  tg_exchange_end(exchange, exchange->chunks > 0 ? TG_OK : TG_EMPTY, NULL);
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* An event without its blank line counts only as the stream's end. */
static void take_last_event(void *taker, const tg_event *event) {
  const char *data = event->data;
  size_t length = event->length;
  while (length > 0 && is_space(data[length - 1])) length--;
  while (length > 0 && is_space(data[0])) data++, length--;
  if (is_done(data, length)) ((tg_exchange *)taker)->done = true;
}

static void settle_stream(tg_exchange *exchange) {
  if (!exchange->done && !exchange->failed && exchange->outcome == TG_OPEN)
    end_by_sse(exchange, tg_sse_finish(&exchange->sse, take_last_event, exchange));
  if (exchange->failed)
    end(exchange, TG_HTTP_ERROR, exchange->failure);
  else if (exchange->body_seen && !exchange->events_seen && !exchange->done)
    tg_exchange_end(exchange, TG_MALFORMED, "not an event stream");
  else if (exchange->body_seen && !exchange->done && exchange->finish_reason == 0)
    tg_exchange_end(exchange, TG_TRUNCATED, "no [DONE] and no finish reason");
  else
    end_by_content(exchange);
}

static void settle_answer(tg_exchange *exchange, const tg_answer *answer) {
  if (answer->error != NULL) {
    char name[TG_ERROR_TYPE_BYTES];
    size_t length = tg_error_type(name, "body: ", answer->error);
    end(exchange, TG_HTTP_ERROR, tg_words_number(exchange->shared->words, name, length));
    return;
  }
  take_answer(exchange, answer);
  end_by_content(exchange);
}

static void settle_whole(tg_exchange *exchange) {
  if (exchange->body.length == 0) {
    end_by_content(exchange);
    return;
  }
  tg_answer answer;
  if (tg_answer_decode(&answer, exchange->body.bytes, exchange->body.length))
    settle_answer(exchange, &answer);
  else
    end_malformed(exchange, "json", answer.problem);
  tg_answer_release(&answer);
}

static void settle_error(tg_exchange *exchange) {
  char name[TG_ERROR_TYPE_BYTES];
  size_t length;
  if (!tg_error_type_of_body(name, &length, exchange->body.bytes, exchange->body.length))
    length = (size_t)snprintf(name, sizeof name, "status %d", exchange->status);
  bool refused = exchange->status == 429 || exchange->status == 503;
  end(exchange, refused ? TG_REJECTED : TG_HTTP_ERROR, tg_words_number(exchange->shared->words, name, length));
}

static void settle(tg_exchange *exchange) {
  if (exchange->status != 200)
    settle_error(exchange);
  else if (exchange->stream)
    settle_stream(exchange);
  else
    settle_whole(exchange);
}

/* Count the known events that `data` begins with, each a chunk of its own; return how many bytes they are. This is
   what most reads are, and the parser would take twice as long to say the same. */
static size_t take_known_chunks(tg_exchange *exchange, const char *data, size_t length) {
  size_t at = 0;
  for (;;) {
    tg_chunk chunk = tg_chunk_find(data + at, length - at);
    if (chunk.whole == 0 || !tg_template_matches(exchange->template, chunk.data, chunk.length)) return at;
    count_chunk(exchange);
    at += chunk.whole;
  }
}

bool tg_exchange_feed(tg_exchange *exchange, const char *data, size_t length, int64_t now_ns) {
  exchange->now_ns = now_ns;
  if (exchange->first_byte_ns == TG_NONE) exchange->first_byte_ns = now_ns;
  exchange->bytes_received += (int64_t)length;
  if (exchange->known && exchange->framing.between_chunks) {
    size_t taken = take_known_chunks(exchange, data, length);
    if (taken == length) return exchange->outcome != TG_OPEN;
    data += taken, length -= taken;
  }
  const char *reason = tg_framing_read(exchange, data, length);
  if (reason != NULL) {
    end_malformed(exchange, "http", reason);
    return true;
  }
  if (exchange->framing.complete) settle(exchange);
  return exchange->outcome != TG_OPEN;
}

void tg_exchange_eof(tg_exchange *exchange, int64_t now_ns) {
  exchange->now_ns = now_ns;
  tg_framing_eof(exchange);
  if (exchange->framing.complete)
    settle(exchange);
  else if (exchange->failed)
    end(exchange, TG_HTTP_ERROR, exchange->failure);
  else
    tg_exchange_end(exchange, TG_DISCONNECTED, "eof");
}

void tg_exchange_fill(const tg_exchange *exchange, tg_record *record) {
  record->first_byte_ns = exchange->first_byte_ns;
  record->first_token_ns = exchange->first_token_ns;
  record->last_token_ns = exchange->last_token_ns;
  record->max_gap_ns = exchange->max_gap_ns;
  record->bytes_received = exchange->bytes_received;
  record->prompt_tokens = exchange->prompt_tokens;
  record->completion_tokens = exchange->completion_tokens;
  record->cached_tokens = exchange->cached_tokens;
  record->chunks = exchange->chunks;
  record->gaps = exchange->gaps_count;
  record->http_status = exchange->status;
  record->error = exchange->error;
  record->finish_reason = exchange->finish_reason;
  record->outcome = exchange->outcome;
}
