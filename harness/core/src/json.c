#include "json.h"

#include <stdlib.h>
#include <string.h>

#include "utf8.h"

static yyjson_doc *parse(const char *data, size_t length, yyjson_read_flag flags, const yyjson_alc *allocator,
                         yyjson_read_err *error) {
  return yyjson_read_opts((char *)data, length, flags, allocator, error); /* not INSITU: the data is only read */
}

/* Whether a string of a document holds a control character that is not escaped. */
static bool holds_control(const char *data, size_t length) {
  bool in_string = false;
  for (size_t i = 0; i < length; i++) {
    if (data[i] == '"')
      in_string = !in_string;
    else if (in_string && data[i] == '\\')
      i++; /* also over an escaped quote */
    else if (in_string && (unsigned char)data[i] < 0x20)
      return true;
  }
  return false;
}

/* What allows invalid UTF-8 in yyjson allows control characters too, so those are looked for first. */
yyjson_doc *tg_json_read(const char *data, size_t length, const yyjson_alc *allocator, const char **problem) {
  yyjson_read_err error = {0};
  yyjson_doc *doc = parse(data, length, TG_JSON_FLAGS, allocator, &error);
  if (doc == NULL && error.code == YYJSON_READ_ERROR_INVALID_STRING && !holds_control(data, length))
    doc = parse(data, length, TG_JSON_FLAGS | YYJSON_READ_ALLOW_INVALID_UNICODE, allocator, &error);
  if (doc == NULL) *problem = error.msg == NULL ? "unreadable" : error.msg;
  return doc;
}

bool tg_json_is_integer(const yyjson_val *number) {
  const char *text = yyjson_get_raw((yyjson_val *)number);
  return text != NULL && strpbrk(text, ".eE") == NULL;
}

int32_t tg_json_int32(const yyjson_val *number) {
  long long value = strtoll(yyjson_get_raw((yyjson_val *)number), NULL, 10);
  return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

static bool is_sound(yyjson_val *value) {
  if (yyjson_is_str(value)) return tg_utf8_valid(yyjson_get_str(value), yyjson_get_len(value));
  if (!yyjson_is_raw(value) || tg_json_is_integer(value)) return true;
  yyjson_val number = {0};
  return yyjson_read_number(yyjson_get_raw(value), &number, 0, NULL, NULL) != NULL;
}

bool tg_json_is_sound(yyjson_val *value) {
  yyjson_val *end = unsafe_yyjson_get_next(value); /* what a value holds lies behind it, in one row */
  for (; value < end; value++) {
    if (!is_sound(value)) return false;
  }
  return true;
}

yyjson_val *tg_json_get(yyjson_val *object, const char *key) {
  yyjson_val *found = NULL, *name;
  yyjson_obj_iter iterator = yyjson_obj_iter_with(object);
  while ((name = yyjson_obj_iter_next(&iterator)) != NULL) {
    if (yyjson_equals_str(name, key)) found = yyjson_obj_iter_get_val(name);
  }
  return found;
}
