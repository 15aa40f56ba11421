#include "error_type.h"

#include <string.h>

#include "json.h"
#include "python_text.h"

/* What Python's `or` asks. */
static bool is_true(yyjson_val *value) {
  switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_BOOL: return yyjson_get_bool(value);
    case YYJSON_TYPE_RAW: return tg_python_number_is_true(yyjson_get_raw(value));
    case YYJSON_TYPE_STR: return yyjson_get_len(value) > 0;
    case YYJSON_TYPE_ARR: return yyjson_arr_size(value) > 0;
    case YYJSON_TYPE_OBJ: return yyjson_obj_size(value) > 0;
    default: return false;
  }
}

static void write_object_type(tg_python_text *text, yyjson_val *error) {
  static const char *const keys[] = {"type", "code", "message"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    yyjson_val *value = tg_json_get(error, keys[i]);
    if (is_true(value)) {
      tg_python_str(text, value);
      return;
    }
  }
  tg_python_literal(text, "error");
}

size_t tg_error_type(char name[TG_ERROR_TYPE_BYTES], const char *prefix, yyjson_val *error) {
  tg_python_text text = {.bytes = name, .room = TG_ERROR_TYPE_BYTES};
  tg_python_literal(&text, prefix);
  if (yyjson_is_obj(error))
    write_object_type(&text, error);
  else
    tg_python_str(&text, error);
  return text.length;
}

static yyjson_val *error_of(yyjson_val *root) {
  yyjson_val *error = tg_json_get(root, "error");
  if (is_true(error)) return error;
  return tg_json_get(root, "type") != NULL ? root : NULL;
}

bool tg_error_type_of_body(char name[TG_ERROR_TYPE_BYTES], size_t *length, const char *body, size_t body_bytes) {
  const char *problem;
  yyjson_doc *doc = tg_json_read(body, body_bytes, NULL, &problem);
  yyjson_val *root = yyjson_doc_get_root(doc);
  yyjson_val *error = root != NULL && tg_json_is_sound(root) ? error_of(root) : NULL;
  if (error != NULL) *length = tg_error_type(name, "", error);
  yyjson_doc_free(doc);
  return error != NULL;
}
