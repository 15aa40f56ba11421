#include "python_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "utf8.h"

#define DIGITS_MAX 17 /* tell any double from its neighbours */

static void append(tg_python_text *text, const char *bytes, size_t length) {
  size_t left = text->room - text->length;
  if (length > left) length = left;
  memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
}

void tg_python_literal(tg_python_text *text, const char *literal) { append(text, literal, strlen(literal)); }

static bool is_full(const tg_python_text *text) { return text->length == text->room; }

/* The fewest digits that give `value` back, as d.ddde±xx. */
static void shortest(char made[32], double value) {
  for (int digits = 1; digits <= DIGITS_MAX; digits++) {
    snprintf(made, 32, "%.*e", digits - 1, value);
    if (strtod(made, NULL) == value) return;
  }
}

static void write_double(tg_python_text *text, double value) {
  char scientific[32], plain[64];
  shortest(scientific, value);
  char *mark = strchr(scientific, 'e');
  int exponent = atoi(mark + 1);
  if (exponent < -4 || exponent >= 16) {
    tg_python_literal(text, scientific);
    return;
  }
  int digits = (int)(mark - scientific) - (scientific[0] == '-');
  int decimals = (digits > 1 ? digits - 2 : 0) - exponent;
  snprintf(plain, sizeof plain, "%.*f", decimals > 1 ? decimals : 1, value);
  tg_python_literal(text, plain);
}

static void write_number(tg_python_text *text, yyjson_val *number) {
  const char *json = yyjson_get_raw(number);
  if (!tg_json_is_integer(number))
    write_double(text, strtod(json, NULL));
  else
    tg_python_literal(text, strcmp(json, "-0") == 0 ? "0" : json);
}

bool tg_python_number_is_true(const char *json) { return strtod(json, NULL) != 0; }

/* Unicode's many other characters that repr() escapes are written as they are. */
static bool is_printable(unsigned code) { return code >= 0x20 && !(code >= 0x7f && code <= 0xa0) && code != 0xad; }

static void write_escaped(tg_python_text *text, unsigned code) {
  static const char shorts[] = {['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r'};
  char made[8];
  if (code < sizeof shorts && shorts[code])
    snprintf(made, sizeof made, "\\%c", shorts[code]);
  else
    snprintf(made, sizeof made, "\\x%02x", code);
  tg_python_literal(text, made);
}

/* The code of a character of one or two bytes; of a longer one, something printable. */
static unsigned code_of(const char *character, size_t bytes) {
  const unsigned char *at = (const unsigned char *)character;
  if (bytes == 1) return at[0];
  return bytes == 2 ? (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu) : 0xffff;
}

static void write_quoted(tg_python_text *text, const char *string, size_t length) {
  bool doubled = memchr(string, '\'', length) != NULL && memchr(string, '"', length) == NULL;
  char quote = doubled ? '"' : '\'';
  append(text, &quote, 1);
  for (size_t at = 0, bytes; at < length && !is_full(text); at += bytes) {
    bytes = tg_utf8_character(string + at, length - at);
    if (bytes == 0) break; /* never: a sound value holds UTF-8 */
    unsigned code = code_of(string + at, bytes);
    if (code == (unsigned char)quote || code == '\\') tg_python_literal(text, "\\");
    if (is_printable(code))
      append(text, string + at, bytes);
    else
      write_escaped(text, code);
  }
  append(text, &quote, 1);
}

static void write_repr(tg_python_text *text, yyjson_val *value);

static void write_list(tg_python_text *text, yyjson_val *list) {
  tg_python_literal(text, "[");
  yyjson_arr_iter items = yyjson_arr_iter_with(list);
  for (size_t i = 0; i < yyjson_arr_size(list) && !is_full(text); i++) {
    if (i > 0) tg_python_literal(text, ", ");
    write_repr(text, yyjson_arr_iter_next(&items));
  }
  tg_python_literal(text, "]");
}

static void write_dict(tg_python_text *text, yyjson_val *dict) {
  tg_python_literal(text, "{");
  yyjson_obj_iter keys = yyjson_obj_iter_with(dict);
  for (size_t i = 0; i < yyjson_obj_size(dict) && !is_full(text); i++) {
    yyjson_val *key = yyjson_obj_iter_next(&keys);
    if (i > 0) tg_python_literal(text, ", ");
    write_repr(text, key);
    tg_python_literal(text, ": ");
    write_repr(text, yyjson_obj_iter_get_val(key));
  }
  tg_python_literal(text, "}");
}

/* Each level writes a byte before it goes deeper, so that the room bounds the depth. */
static void write_repr(tg_python_text *text, yyjson_val *value) {
  if (yyjson_is_str(value))
    write_quoted(text, yyjson_get_str(value), yyjson_get_len(value));
  else if (yyjson_is_arr(value))
    write_list(text, value);
  else if (yyjson_is_obj(value))
    write_dict(text, value);
  else
    tg_python_str(text, value);
}

void tg_python_str(tg_python_text *text, yyjson_val *value) {
  if (yyjson_is_str(value))
    append(text, yyjson_get_str(value), yyjson_get_len(value));
  else if (yyjson_is_raw(value))
    write_number(text, value);
  else if (yyjson_is_bool(value))
    tg_python_literal(text, yyjson_get_bool(value) ? "True" : "False");
  else if (yyjson_is_ctn(value))
    write_repr(text, value);
  else
    tg_python_literal(text, "None");
}
