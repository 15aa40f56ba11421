#include "head.h"

#include <string.h>
#include <strings.h>

#include "llhttp.h"

#define TRACE_AT 3 /* behind the version and its dash */

typedef struct {
  llhttp_t parser;
  gt_head *head;
  gt_text name;
  bool begun;    /* the request line has been read */
  bool complete; /* the empty line has been read */
  bool coded;    /* the body has a Transfer-Encoding */
} reading;

static reading *reading_of(llhttp_t *parser) { return (reading *)parser; /* its first member */ }

/* Take a piece of a text; pieces of one text lie side by side. */
static void extend(gt_text *text, const char *at, size_t length) {
  if (text->length == 0) text->bytes = at;
  text->length = (uint64_t)(at + length - text->bytes);
}

static int on_url(llhttp_t *parser, const char *at, size_t length) {
  extend(&reading_of(parser)->head->path, at, length);
  return 0;
}

static int on_version_complete(llhttp_t *parser) {
  reading_of(parser)->begun = parser->http_major == 1;
  return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t length) {
  extend(&reading_of(parser)->name, at, length);
  return 0;
}

static bool is_named(const reading *reading, const char *name, size_t length) {
  return reading->name.length == length && strncasecmp(reading->name.bytes, name, length) == 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t length) {
  reading *reading = reading_of(parser);
  if (is_named(reading, "traceparent", 11)) extend(&reading->head->trace, at, length);
  else if (is_named(reading, "x-golden", 8)) extend(&reading->head->line, at, length);
  return 0;
}

static int on_header_value_complete(llhttp_t *parser) {
  reading_of(parser)->name.length = 0;
  return 0;
}

static int on_headers_complete(llhttp_t *parser) {
  reading *reading = reading_of(parser);
  gt_head *head = reading->head;
  head->get = parser->method == HTTP_GET;
  head->post = parser->method == HTTP_POST;
  head->closes = !llhttp_should_keep_alive(parser);
  head->body_bytes = parser->flags & F_CONTENT_LENGTH ? parser->content_length : 0;
  reading->coded = parser->flags & F_TRANSFER_ENCODING;
  reading->complete = reading->begun;
  return 0;
}

static const llhttp_settings_t SETTINGS = {
    .on_url = on_url,
    .on_version_complete = on_version_complete,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
};

static gt_refusal why_not(reading *reading, llhttp_errno_t error) {
  if (error == HPE_INVALID_CONTENT_LENGTH) return GT_BAD_LENGTH;
  if (!reading->begun || error == HPE_OK) return GT_NOT_HTTP;
  reading->head->problem = llhttp_get_error_reason(&reading->parser);
  return GT_BAD_HEADER;
}

static void cut_query(gt_text *path) {
  const char *query = memchr(path->bytes, '?', path->length);
  if (query != NULL) path->length = (uint64_t)(query - path->bytes);
}

gt_refusal gt_head_read(gt_head *head, const char *bytes, size_t length) {
  reading reading = {.head = head};
  *head = (gt_head){0};
  llhttp_init(&reading.parser, HTTP_REQUEST, &SETTINGS);
  llhttp_errno_t error = llhttp_execute(&reading.parser, bytes, length);
  if (!reading.complete) return why_not(&reading, error); /* what an upgrade pauses is complete all the same */
  cut_query(&head->path);
  if (reading.coded) return GT_NO_LENGTH;
  return head->body_bytes > GT_BODY_BYTES_MAX ? GT_BODY_TOO_LONG : GT_TAKEN;
}

static int digit(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  byte |= 0x20;
  return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

void gt_head_trace(const gt_head *head, uint8_t trace[GT_TRACE_BYTES]) {
  memset(trace, 0, GT_TRACE_BYTES);
  if (head->trace.length < TRACE_AT + 2 * GT_TRACE_BYTES) return;
  const char *digits = head->trace.bytes + TRACE_AT;
  uint8_t read[GT_TRACE_BYTES];
  for (int i = 0; i < GT_TRACE_BYTES; i++) {
    int high = digit(digits[2 * i]), low = digit(digits[2 * i + 1]);
    if (high < 0 || low < 0) return;
    read[i] = (uint8_t)(high << 4 | low);
  }
  memcpy(trace, read, sizeof read);
}
