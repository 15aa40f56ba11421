#define _GNU_SOURCE /* memrchr */
#include "sse.h"

#include <string.h>

#define BOM "\xef\xbb\xbf"
#define BOM_BYTES 3

/* One call of feed. A data line that lies in the caller's bytes is copied only if its event outlasts them. */
typedef struct {
  tg_sse *sse;
  tg_event_taker *take;
  void *taker;
  const char *line; /* the event's only data line so far; NULL: sse->data holds them */
  size_t line_bytes;
} tg_feed;

bool tg_sse_idle(const tg_sse *sse) {
  return sse->begun && !sse->after_cr && sse->rest.length == 0 && sse->lines == 0 && sse->name == TG_UNNAMED;
}

static bool keep_line(tg_feed *feed) {
  const char *line = feed->line;
  feed->line = NULL;
  return line == NULL || tg_buffer_append(&feed->sse->data, line, feed->line_bytes);
}

static bool take_data(tg_feed *feed, const char *value, size_t length, bool lasting) {
  tg_sse *sse = feed->sse;
  if (sse->lines++ == 0 && lasting) {
    feed->line = value;
    feed->line_bytes = length;
    return true;
  }
  bool first = sse->lines == 1;
  return keep_line(feed) && (first || tg_buffer_append(&sse->data, "\n", 1)) &&
         tg_buffer_append(&sse->data, value, length);
}

static void dispatch(tg_feed *feed) {
  tg_sse *sse = feed->sse;
  if (sse->lines > 0) {
    tg_event event = {sse->data.bytes, sse->data.length, sse->name};
    if (feed->line != NULL) event.data = feed->line, event.length = feed->line_bytes;
    if (event.data == NULL) event.data = "";
    feed->take(feed->taker, &event);
  }
  feed->line = NULL;
  tg_buffer_clear(&sse->data);
  sse->lines = 0;
  sse->name = TG_UNNAMED;
}

static bool equals(const char *text, size_t length, const char *literal) {
  return length == strlen(literal) && memcmp(text, literal, length) == 0;
}

/* `lasting`: the line lies in the caller's bytes. Comments (no name), id, retry and unknown fields carry nothing
   that we measure. */
static bool take_line(tg_feed *feed, const char *line, size_t length, bool lasting) {
  if (length == 0) {
    dispatch(feed);
    return true;
  }
  const char *colon = memchr(line, ':', length);
  size_t name_bytes = colon == NULL ? length : (size_t)(colon - line);
  size_t value_at = colon == NULL ? length : name_bytes + 1;
  if (value_at < length && line[value_at] == ' ') value_at++;
  const char *value = line + value_at;
  if (equals(line, name_bytes, "data")) return take_data(feed, value, length - value_at, lasting);
  if (equals(line, name_bytes, "event"))
    feed->sse->name = equals(value, length - value_at, "error") ? TG_NAMED_ERROR : TG_NAMED;
  return true;
}

/* Take a line that the caller's bytes end; it may have begun in earlier ones. */
static bool end_line(tg_feed *feed, const char *end_of_it, size_t length) {
  tg_sse *sse = feed->sse;
  bool lasting = sse->rest.length == 0;
  if (!lasting && !tg_buffer_append(&sse->rest, end_of_it, length)) return false;
  const char *line = lasting ? end_of_it : sse->rest.bytes;
  if (!lasting) length = sse->rest.length;
  if (!sse->begun && length >= BOM_BYTES && memcmp(line, BOM, BOM_BYTES) == 0) line += BOM_BYTES, length -= BOM_BYTES;
  sse->begun = true;
  bool taken = take_line(feed, line, length, lasting);
  if (!lasting) tg_buffer_clear(&sse->rest);
  return taken;
}

static const char *find(const char *from, const char *end, char wanted) {
  const char *found = memchr(from, wanted, (size_t)(end - from));
  return found == NULL ? end : found;
}

/* Each kind of line end is sought only from behind the last one found, so that the work stays linear. */
static bool take_lines(tg_feed *feed, const char *at, const char *end) {
  const char *lf = find(at, end, '\n'), *cr = find(at, end, '\r');
  for (const char *stop; (stop = lf < cr ? lf : cr) < end;) {
    if (!end_line(feed, at, (size_t)(stop - at))) return false;
    at = stop + 1;
    if (stop == cr && lf == at && at < end) at++;
    if (lf < at) lf = find(at, end, '\n');
    if (cr < at) cr = find(at, end, '\r');
  }
  return tg_buffer_append(&feed->sse->rest, at, (size_t)(end - at));
}

/* How many bytes follow the last `wanted`. */
static size_t bytes_behind(const char *chunk, size_t length, char wanted) {
  const char *last = memrchr(chunk, wanted, length);
  return last == NULL ? length : (size_t)(chunk + length - last - 1);
}

/* How long the unfinished line is once `chunk` has been taken. */
static size_t rest_bytes(const tg_sse *sse, const char *chunk, size_t length) {
  size_t behind = bytes_behind(chunk, length, '\n');
  if (behind > 0) behind = bytes_behind(chunk + length - behind, behind, '\r');
  return behind == length ? sse->rest.length + length : behind;
}

/* As in the reference the line feeds between data lines are not counted; so empty ones need a bound of their own. */
static bool too_long(const tg_sse *sse, size_t rest) {
  size_t data_bytes = sse->lines == 0 ? 0 : sse->data.length - (sse->lines - 1);
  return rest + data_bytes > TG_EVENT_BYTES_MAX || sse->lines > TG_EVENT_BYTES_MAX;
}

/* A byte order mark may stand at the beginning of the stream, also before a line that goes on. */
static void drop_bom(tg_sse *sse) {
  if (sse->begun || sse->rest.length < BOM_BYTES) return;
  sse->begun = true;
  if (memcmp(sse->rest.bytes, BOM, BOM_BYTES) == 0) tg_buffer_drop_front(&sse->rest, BOM_BYTES);
  if (sse->rest.length == 0) tg_buffer_clear(&sse->rest);
}

tg_sse_state tg_sse_feed(tg_sse *sse, const char *chunk, size_t length, tg_event_taker *take, void *taker) {
  if (length == 0) return TG_SSE_FINE;
  if (sse->after_cr && chunk[0] == '\n') { /* the second half of a CRLF that a read split */
    chunk++, length--;
    sse->after_cr = false;
  }
  if (length > 0) sse->after_cr = chunk[length - 1] == '\r';
  if (too_long(sse, rest_bytes(sse, chunk, length))) return TG_SSE_TOO_LONG;
  tg_feed feed = {.sse = sse, .take = take, .taker = taker};
  if (!take_lines(&feed, chunk, chunk + length) || !keep_line(&feed)) return TG_SSE_NO_MEMORY;
  drop_bom(sse);
  return TG_SSE_FINE;
}

tg_sse_state tg_sse_finish(tg_sse *sse, tg_event_taker *take, void *taker) {
  return tg_sse_feed(sse, "\n\n", 2, take, taker);
}

void tg_sse_release(tg_sse *sse) {
  tg_buffer_clear(&sse->rest);
  tg_buffer_clear(&sse->data);
}
