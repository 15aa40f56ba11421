#include "framing.h"

#include <string.h>

#include "exchange.h"

/* The headers that say where the body ends. */
static const struct {
  const char *name;
  uint8_t length;
} FRAMING_HEADERS[] = {{"content-length", 14}, {"transfer-encoding", 17}};

#define FRAMING_HEADERS_COUNT 2
#define ALL_MATCH ((1 << FRAMING_HEADERS_COUNT) - 1)
#define NAME_BYTES_MAX 18 /* longer than either */

static tg_exchange *exchange_of(llhttp_t *parser) {
  return (tg_exchange *)((char *)parser - offsetof(tg_exchange, framing.parser));
}

static void begin_name(tg_framing *framing) {
  framing->value_seen = false;
  framing->name_bytes = 0;
  framing->name_matches = ALL_MATCH;
}

static void end_header(tg_framing *framing) {
  if (!framing->value_seen) return;
  for (int i = 0; i < FRAMING_HEADERS_COUNT; i++) {
    if (framing->name_matches & 1 << i && framing->name_bytes == FRAMING_HEADERS[i].length) framing->framed = true;
  }
  begin_name(framing);
}

static void take_name_byte(tg_framing *framing, char byte) {
  if (byte >= 'A' && byte <= 'Z') byte |= 0x20;
  for (int i = 0; i < FRAMING_HEADERS_COUNT; i++) {
    uint8_t at = framing->name_bytes;
    if (at >= FRAMING_HEADERS[i].length || FRAMING_HEADERS[i].name[at] != byte) framing->name_matches &= (uint8_t)~(1 << i);
  }
  if (framing->name_bytes < NAME_BYTES_MAX) framing->name_bytes++;
}

static int on_message_begin(llhttp_t *parser) {
  return exchange_of(parser)->framing.complete ? -1 : 0; /* nobody asked for a second answer */
}

static int on_header_field(llhttp_t *parser, const char *at, size_t length) {
  tg_framing *framing = &exchange_of(parser)->framing;
  end_header(framing);
  for (size_t i = 0; i < length; i++) take_name_byte(framing, at[i]);
  return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t length) {
  (void)at, (void)length;
  exchange_of(parser)->framing.value_seen = true;
  return 0;
}

/* 1 tells llhttp that no body follows. */
static int on_headers_complete(llhttp_t *parser) {
  tg_exchange *exchange = exchange_of(parser);
  end_header(&exchange->framing);
  exchange->status = (int16_t)parser->status_code;
  exchange->framing.headers_done = exchange->status >= 200;
  return parser->upgrade ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t length) {
  tg_exchange_take_body(exchange_of(parser), at, length);
  return 0;
}

static int on_message_complete(llhttp_t *parser) {
  tg_exchange *exchange = exchange_of(parser);
  exchange->framing.between_chunks = false;
  if (!exchange->framing.headers_done) { /* an interim answer is none */
    exchange->framing.framed = false;
    return 0;
  }
  exchange->framing.complete = true;
  exchange->reusable = llhttp_should_keep_alive(parser);
  return 0;
}

static int on_chunk_header(llhttp_t *parser) {
  exchange_of(parser)->framing.between_chunks = false;
  return 0;
}

static int on_chunk_complete(llhttp_t *parser) {
  exchange_of(parser)->framing.between_chunks = true;
  return 0;
}

static const llhttp_settings_t SETTINGS = {
    .on_message_begin = on_message_begin,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
    .on_chunk_header = on_chunk_header,
    .on_chunk_complete = on_chunk_complete,
};

void tg_framing_init(tg_exchange *exchange) {
  llhttp_init(&exchange->framing.parser, HTTP_RESPONSE, &SETTINGS);
  begin_name(&exchange->framing);
}

const char *tg_framing_read(tg_exchange *exchange, const char *data, size_t length) {
  tg_framing *framing = &exchange->framing;
  llhttp_errno_t error = llhttp_execute(&framing->parser, data, length);
  /* Between that callback and the next only a size line is read: its end calls on_chunk_header. */
  framing->between_chunks = framing->between_chunks && length > 0 && data[length - 1] == '\n';
  if (error == HPE_OK) return NULL;
  exchange->reusable = false;
  return framing->complete ? NULL : llhttp_get_error_reason(&framing->parser);
}

void tg_framing_eof(tg_exchange *exchange) {
  if (exchange->framing.headers_done && !exchange->framing.framed) exchange->framing.complete = true;
  exchange->reusable = false;
}
