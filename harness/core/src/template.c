#define _GNU_SOURCE /* memmem */
#include "template.h"

#include <stdlib.h>
#include <string.h>

#define FIELD "data: "
#define FIELD_BYTES (sizeof FIELD - 1)
#define BLANK_LINE "\n\n"
#define BLANK_LINE_BYTES (sizeof BLANK_LINE - 1)
#define ESCAPED_MAX 6 /* \u0000 */

static size_t write_escape(char *made, unsigned char byte) {
  static const char shorts[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
                                ['"'] = '"',  ['\\'] = '\\'};
  static const char digits[] = "0123456789abcdef";
  made[0] = '\\';
  if (byte < sizeof shorts && shorts[byte]) {
    made[1] = shorts[byte];
    return 2;
  }
  memcpy(made + 1, "u00", 3);
  made[4] = digits[byte >> 4];
  made[5] = digits[byte & 15];
  return ESCAPED_MAX;
}

/* Write the JSON string that servers write for `text`: with the escapes that must be, and no others. */
static size_t write_literal(char *made, const char *text, size_t length) {
  size_t at = 0;
  made[at++] = '"';
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)text[i];
    if (byte < 0x20 || byte == '"' || byte == '\\')
      at += write_escape(made + at, byte);
    else
      made[at++] = text[i];
  }
  made[at++] = '"';
  return at;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static size_t without_spaces(const char *data, size_t length) {
  while (length > 0 && is_space(data[length - 1])) length--;
  return length;
}

static bool ends_with(const char *data, size_t length, const char *end) {
  size_t bytes = strlen(end);
  return length >= bytes && memcmp(data + length - bytes, end, bytes) == 0;
}

/* Whether `data` ends with a key that carries text, and the colon after it. */
static bool ends_with_text_key(const char *data, size_t length) {
  static const char *const keys[] = {"\"content\"", "\"text\"", "\"reasoning_content\"", "\"reasoning\""};
  length = without_spaces(data, length);
  if (length == 0 || data[length - 1] != ':') return false;
  length = without_spaces(data, length - 1);
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    if (ends_with(data, length, keys[i])) return true;
  }
  return false;
}

static const char *find_only(const char *data, size_t length, const char *literal, size_t literal_bytes) {
  const char *found = memmem(data, length, literal, literal_bytes);
  if (found == NULL) return NULL;
  const char *behind = found + 1;
  return memmem(behind, (size_t)(data + length - behind), literal, literal_bytes) == NULL ? found : NULL;
}

static bool make_room(tg_template **slot, size_t bytes) {
  if (bytes > INT32_MAX) return false;
  if (*slot != NULL && (*slot)->capacity >= bytes) return true;
  tg_template *template = realloc(*slot, sizeof **slot + bytes);
  if (template == NULL) return false;
  template->capacity = (uint32_t)bytes;
  *slot = template;
  return true;
}

/* `before` and `behind` are the parts of the event's data around the text, the string's quotes included. */
static bool note(tg_template **slot, const char *before, size_t before_bytes, const char *behind, size_t behind_bytes) {
  if (!make_room(slot, FIELD_BYTES + before_bytes + behind_bytes + BLANK_LINE_BYTES)) return false;
  char *at = (*slot)->bytes;
  at = mempcpy(at, FIELD, FIELD_BYTES);
  at = mempcpy(at, before, before_bytes);
  at = mempcpy(at, behind, behind_bytes);
  memcpy(at, BLANK_LINE, BLANK_LINE_BYTES);
  (*slot)->prefix_bytes = (uint32_t)(FIELD_BYTES + before_bytes);
  (*slot)->suffix_bytes = (uint32_t)(behind_bytes + BLANK_LINE_BYTES);
  return true;
}

static bool learn_literal(tg_template **slot, const char *data, size_t length, const char *literal, size_t bytes) {
  const char *found = find_only(data, length, literal, bytes);
  if (found == NULL || !ends_with_text_key(data, (size_t)(found - data))) return false;
  const char *behind = found + bytes - 1;
  return note(slot, data, (size_t)(found + 1 - data), behind, (size_t)(data + length - behind));
}

bool tg_template_learn(tg_template **slot, const char *data, size_t length, const char *text, size_t text_bytes) {
  char near[1024], *literal = near;
  size_t room = text_bytes * ESCAPED_MAX + 2;
  if (room > sizeof near && (literal = malloc(room)) == NULL) return false;
  bool learned = learn_literal(slot, data, length, literal, write_literal(literal, text, text_bytes));
  if (literal != near) free(literal);
  return learned;
}

/* Eight bytes at a time; a byte's top bit is set in the result where `word` holds `byte`, and may be set above one
   that does (the borrow), which is good enough to ask whether there is any. */
static uint64_t holds(uint64_t word, unsigned char byte) {
  const uint64_t ones = 0x0101010101010101u;
  uint64_t zero_where = word ^ (ones * byte);
  return (zero_where - ones) & ~zero_where & (ones << 7);
}

static bool is_structural(char c) { return c == '"' || c == '\\' || c == '\r' || c == '\n'; }

static bool is_plain(const char *text, size_t length) {
  size_t at = 0;
  for (uint64_t word; at + sizeof word <= length; at += sizeof word) {
    memcpy(&word, text + at, sizeof word);
    if (holds(word, '"') | holds(word, '\\') | holds(word, '\r') | holds(word, '\n')) return false;
  }
  for (; at < length; at++) {
    if (is_structural(text[at])) return false;
  }
  return true;
}

bool tg_template_matches(const tg_template *template, const char *event, size_t length) {
  size_t prefix = template->prefix_bytes, suffix = template->suffix_bytes;
  if (length <= prefix + suffix) return false;
  size_t text_bytes = length - prefix - suffix;
  return memcmp(event, template->bytes, prefix) == 0 &&
         memcmp(event + prefix + text_bytes, template->bytes + prefix, suffix) == 0 &&
         is_plain(event + prefix, text_bytes);
}
