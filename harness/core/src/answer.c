#include "answer.h"

#include <string.h>

#include "json.h"
#include "record.h"
#include "utf8.h"

typedef struct {
  bool there;
  tg_text content, reasoning_content, reasoning; /* servers name the reasoning either way */
} message;

typedef struct {
  message delta, message; /* of a stream; of a whole answer */
  tg_text text;           /* completions' */
  tg_text finish_reason;
} choice;

/* Whether a value is what a field may be: `fits`, or null. */
static bool check(tg_answer *answer, yyjson_val *value, bool fits, const char *problem) {
  if (fits || yyjson_is_null(value)) return true;
  answer->problem = problem;
  return false;
}

static bool decode_text(tg_answer *answer, yyjson_val *value, tg_text *text) {
  *text = (tg_text){yyjson_get_str(value), yyjson_get_len(value)};
  if (!check(answer, value, text->bytes != NULL, "a text is no string")) return false;
  if (text->bytes == NULL) text->length = 0;
  return check(answer, value, tg_utf8_valid(text->bytes, text->length), "a text is not UTF-8");
}

static bool decode_count(tg_answer *answer, yyjson_val *value, int32_t *count) {
  bool integer = tg_json_is_integer(value);
  *count = integer ? tg_json_int32(value) : TG_NONE;
  return check(answer, value, integer, "a count of tokens is no integer");
}

static bool decode_message_field(tg_answer *answer, message *said, yyjson_val *key, yyjson_val *value) {
  if (yyjson_equals_str(key, "content")) return decode_text(answer, value, &said->content);
  if (yyjson_equals_str(key, "reasoning_content")) return decode_text(answer, value, &said->reasoning_content);
  if (yyjson_equals_str(key, "reasoning")) return decode_text(answer, value, &said->reasoning);
  return true;
}

static bool decode_message(tg_answer *answer, yyjson_val *value, message *said) {
  *said = (message){.there = yyjson_is_obj(value)};
  if (!check(answer, value, said->there, "a message is no object")) return false;
  yyjson_obj_iter fields = yyjson_obj_iter_with(value);
  for (yyjson_val *key; (key = yyjson_obj_iter_next(&fields)) != NULL;) {
    if (!decode_message_field(answer, said, key, yyjson_obj_iter_get_val(key))) return false;
  }
  return true;
}

static bool decode_choice_field(tg_answer *answer, choice *one, yyjson_val *key, yyjson_val *value) {
  if (yyjson_equals_str(key, "delta")) return decode_message(answer, value, &one->delta);
  if (yyjson_equals_str(key, "message")) return decode_message(answer, value, &one->message);
  if (yyjson_equals_str(key, "text")) return decode_text(answer, value, &one->text);
  if (yyjson_equals_str(key, "finish_reason")) return decode_text(answer, value, &one->finish_reason);
  return true;
}

static void add_text(tg_answer *answer, tg_text text) {
  if (text.length == 0) return;
  answer->text = text;
  answer->texts++;
}

static void add_choice(tg_answer *answer, const choice *one) {
  const message *said = one->delta.there ? &one->delta : &one->message;
  if (said->there) {
    add_text(answer, said->reasoning_content.length > 0 ? said->reasoning_content : said->reasoning);
    add_text(answer, said->content);
  } else {
    add_text(answer, one->text);
  }
  if (answer->finish_reason.length == 0) answer->finish_reason = one->finish_reason;
}

static bool decode_choice(tg_answer *answer, yyjson_val *value) {
  if (!yyjson_is_obj(value)) {
    answer->problem = "a choice is no object";
    return false;
  }
  choice one = {0};
  yyjson_obj_iter fields = yyjson_obj_iter_with(value);
  for (yyjson_val *key; (key = yyjson_obj_iter_next(&fields)) != NULL;) {
    if (!decode_choice_field(answer, &one, key, yyjson_obj_iter_get_val(key))) return false;
  }
  add_choice(answer, &one);
  return true;
}

static bool decode_choices(tg_answer *answer, yyjson_val *value) {
  answer->texts = 0; /* of a key that comes twice the last counts */
  answer->text = answer->finish_reason = (tg_text){0};
  if (!check(answer, value, yyjson_is_arr(value), "the choices are no array")) return false;
  yyjson_arr_iter choices = yyjson_arr_iter_with(value);
  for (yyjson_val *item; (item = yyjson_arr_iter_next(&choices)) != NULL;) {
    if (!decode_choice(answer, item)) return false;
  }
  return true;
}

static bool decode_details(tg_answer *answer, yyjson_val *value, int32_t *cached_tokens) {
  *cached_tokens = TG_NONE;
  if (!check(answer, value, yyjson_is_obj(value), "the prompt's details are no object")) return false;
  yyjson_obj_iter fields = yyjson_obj_iter_with(value);
  for (yyjson_val *key; (key = yyjson_obj_iter_next(&fields)) != NULL;) {
    if (yyjson_equals_str(key, "cached_tokens") &&
        !decode_count(answer, yyjson_obj_iter_get_val(key), cached_tokens))
      return false;
  }
  return true;
}

static bool decode_usage_field(tg_answer *answer, tg_usage *usage, yyjson_val *key, yyjson_val *value) {
  if (yyjson_equals_str(key, "prompt_tokens")) return decode_count(answer, value, &usage->prompt_tokens);
  if (yyjson_equals_str(key, "completion_tokens")) return decode_count(answer, value, &usage->completion_tokens);
  if (yyjson_equals_str(key, "prompt_tokens_details")) return decode_details(answer, value, &usage->cached_tokens);
  return true;
}

static bool decode_usage(tg_answer *answer, yyjson_val *value) {
  answer->usage = (tg_usage){TG_NONE, TG_NONE, TG_NONE};
  answer->has_usage = yyjson_is_obj(value);
  if (!check(answer, value, answer->has_usage, "the usage is no object")) return false;
  yyjson_obj_iter fields = yyjson_obj_iter_with(value);
  for (yyjson_val *key; (key = yyjson_obj_iter_next(&fields)) != NULL;) {
    if (!decode_usage_field(answer, &answer->usage, key, yyjson_obj_iter_get_val(key))) return false;
  }
  return true;
}

static bool decode_error(tg_answer *answer, yyjson_val *value) {
  answer->error = yyjson_is_null(value) ? NULL : value;
  return check(answer, value, tg_json_is_sound(value), "the error is not UTF-8 or holds a number beyond range");
}

static bool decode_field(tg_answer *answer, yyjson_val *key, yyjson_val *value) {
  if (yyjson_equals_str(key, "choices")) return decode_choices(answer, value);
  if (yyjson_equals_str(key, "usage")) return decode_usage(answer, value);
  if (yyjson_equals_str(key, "error")) return decode_error(answer, value);
  return true;
}

/* Return the pool's allocator for a document that fits into it, else NULL: malloc. */
static const yyjson_alc *pick_allocator(tg_answer *answer, size_t length) {
  if (yyjson_read_max_memory_usage(length, TG_JSON_FLAGS) > sizeof answer->pool) return NULL;
  yyjson_alc_pool_init(&answer->allocator, answer->pool, sizeof answer->pool);
  return &answer->allocator;
}

bool tg_answer_decode(tg_answer *answer, const char *data, size_t length) {
  memset(answer, 0, offsetof(tg_answer, pool));
  answer->usage = (tg_usage){TG_NONE, TG_NONE, TG_NONE};
  answer->doc = tg_json_read(data, length, pick_allocator(answer, length), &answer->problem);
  if (answer->doc == NULL) return false;
  yyjson_val *root = yyjson_doc_get_root(answer->doc);
  if (!yyjson_is_obj(root)) {
    answer->problem = "no object";
    return false;
  }
  yyjson_obj_iter fields = yyjson_obj_iter_with(root);
  for (yyjson_val *key; (key = yyjson_obj_iter_next(&fields)) != NULL;) {
    if (!decode_field(answer, key, yyjson_obj_iter_get_val(key))) return false;
  }
  return true;
}

void tg_answer_release(tg_answer *answer) {
  yyjson_doc_free(answer->doc);
  answer->doc = NULL;
}
