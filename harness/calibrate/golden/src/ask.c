/* A body is read as strictly as msgspec reads it for other parts of the harness, and refused in its words. */
#include "ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "utf8.h"

typedef bool is_type(yyjson_val *value);

static bool is_bool(yyjson_val *value) { return yyjson_is_bool(value); }
static bool is_object(yyjson_val *value) { return yyjson_is_obj(value); }
static bool is_string_or_null(yyjson_val *value) { return yyjson_is_str(value) || yyjson_is_null(value); }
static bool is_object_or_null(yyjson_val *value) { return yyjson_is_obj(value) || yyjson_is_null(value); }
static bool is_integer_or_null(yyjson_val *value) {
  return yyjson_is_null(value) || (yyjson_is_raw(value) && tg_json_is_integer(value));
}

static const char *name_of(yyjson_val *value) {
  if (yyjson_is_raw(value)) return tg_json_is_integer(value) ? "int" : "float";
  if (yyjson_is_arr(value)) return "array";
  return yyjson_get_type_desc(value)[0] == 's' ? "str" : yyjson_is_bool(value) ? "bool" : yyjson_get_type_desc(value);
}

/* Whether a value, which may be absent, has the type of its field; else with a problem. */
static bool check(gt_reader *reader, yyjson_val *value, is_type *fits, const char *type, const char *path) {
  if (value == NULL || fits(value)) return true;
  const char *at = path[0] ? " - at `$" : "", *end = path[0] ? "`" : "";
  snprintf(reader->problem, sizeof reader->problem, "Expected `%s`, got `%s`%s%s%s", type, name_of(value), at, path,
           end);
  return false;
}

static int64_t count_of(yyjson_val *value) {
  return value == NULL || yyjson_is_null(value) ? 0 : strtoll(yyjson_get_raw(value), NULL, 10);
}

static bool read_tokens(gt_reader *reader, gt_ask *ask, yyjson_val *root) {
  yyjson_val *limit = tg_json_get(root, "max_tokens"), *newer = tg_json_get(root, "max_completion_tokens");
  if (!check(reader, limit, is_integer_or_null, "int | null", ".max_tokens") ||
      !check(reader, newer, is_integer_or_null, "int | null", ".max_completion_tokens"))
    return false;
  ask->max_tokens = count_of(newer);
  if (ask->max_tokens == 0) ask->max_tokens = count_of(limit);
  return true;
}

static bool read_flags(gt_reader *reader, gt_ask *ask, yyjson_val *root) {
  yyjson_val *stream = tg_json_get(root, "stream"), *options = tg_json_get(root, "stream_options");
  if (!check(reader, stream, is_bool, "bool", ".stream") ||
      !check(reader, options, is_object_or_null, "object | null", ".stream_options"))
    return false;
  yyjson_val *usage = yyjson_is_obj(options) ? tg_json_get(options, "include_usage") : NULL;
  ask->stream = yyjson_get_bool(stream);
  ask->usage = yyjson_get_bool(usage);
  return check(reader, usage, is_bool, "bool", ".stream_options.include_usage");
}

static bool keep_line(gt_reader *reader, const char *bytes, size_t length) {
  if (tg_buffer_append(&reader->line, bytes, length)) return true;
  snprintf(reader->problem, sizeof reader->problem, "no memory");
  return false;
}

static bool read_line(gt_reader *reader, yyjson_val *root) {
  yyjson_val *line = tg_json_get(root, "golden");
  if (!check(reader, line, is_string_or_null, "str | null", ".golden")) return false;
  const char *text = yyjson_get_str(line);
  size_t length = yyjson_get_len(line);
  if (text == NULL) return true;
  if (tg_utf8_valid(text, length)) return keep_line(reader, text, length);
  snprintf(reader->problem, sizeof reader->problem, "the field golden is not UTF-8");
  return false;
}

static bool line_from_head(gt_reader *reader, const gt_head *head) {
  if (reader->line.length || !head->line.length) return true;
  if (!keep_line(reader, head->line.bytes, head->line.length)) return false;
  for (uint32_t i = 0; i < reader->line.length; i++) {
    char *byte = &reader->line.bytes[i];
    if (*byte >= 'A' && *byte <= 'Z') *byte |= 0x20;
  }
  return true;
}

/* Return the pool's allocator for a document that fits into it, else NULL: malloc. */
static const yyjson_alc *pick_allocator(gt_reader *reader, size_t length) {
  if (yyjson_read_max_memory_usage(length, TG_JSON_FLAGS) > sizeof reader->pool) return NULL;
  yyjson_alc_pool_init(&reader->allocator, reader->pool, sizeof reader->pool);
  return &reader->allocator;
}

static bool read_fields(gt_reader *reader, gt_ask *ask, yyjson_val *root) {
  return check(reader, root, is_object, "object", "") && read_flags(reader, ask, root) &&
         read_tokens(reader, ask, root) && read_line(reader, root);
}

bool gt_ask_read(gt_reader *reader, gt_ask *ask, const gt_head *head, const char *body, size_t length) {
  const char *problem = NULL;
  reader->line.length = 0;
  yyjson_doc *doc = tg_json_read(body, length, pick_allocator(reader, length), &problem);
  if (doc == NULL) snprintf(reader->problem, sizeof reader->problem, "JSON is malformed: %s", problem);
  bool good = doc != NULL && read_fields(reader, ask, yyjson_doc_get_root(doc)) && line_from_head(reader, head);
  yyjson_doc_free(doc);
  ask->line = (gt_text){reader->line.bytes, reader->line.length};
  return good;
}
