/* JSON values as Python's str() writes them. What does not fit into the room is left out. */
#ifndef TG_PYTHON_TEXT_H
#define TG_PYTHON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "yyjson.h"

typedef struct {
  char *bytes; /* not NUL-terminated */
  size_t length, room;
} tg_python_text;

void tg_python_literal(tg_python_text *text, const char *literal);

/* Append a value: str(value), NULL as None. */
void tg_python_str(tg_python_text *text, yyjson_val *value);

/* Whether a number, given as its JSON, is not zero. */
bool tg_python_number_is_true(const char *json);

#endif
