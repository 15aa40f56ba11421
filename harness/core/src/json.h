/* Reading JSON as msgspec does, which the reference reads with: numbers stay text, and strings may hold any bytes
   until somebody looks at them. */
#ifndef TG_JSON_H
#define TG_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "yyjson.h"

#define TG_JSON_FLAGS YYJSON_READ_NUMBER_AS_RAW

/* Read a document; NULL with a `problem`. */
yyjson_doc *tg_json_read(const char *data, size_t length, const yyjson_alc *allocator, const char **problem);

/* Whether a number's text is an integer's. */
bool tg_json_is_integer(const yyjson_val *number);

/* Return an integer, cut to 32 bits. */
int32_t tg_json_int32(const yyjson_val *number);

/* Whether all strings and numbers of a value can be held: UTF-8, and finite. */
bool tg_json_is_sound(yyjson_val *value);

/* Return the last value of a key, as Python's dict has it; NULL where there is none. */
yyjson_val *tg_json_get(yyjson_val *object, const char *key);

#endif
