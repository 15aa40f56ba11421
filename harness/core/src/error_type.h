/* A short name of what a server sent as its error: as the reference names it, which writes values as Python does. */
#ifndef TG_ERROR_TYPE_H
#define TG_ERROR_TYPE_H

#include <stdbool.h>
#include <stddef.h>

#include "words.h"
#include "yyjson.h"

/* Room for a name, and for what `prefix` a caller writes before it. */
#define TG_ERROR_TYPE_BYTES (TG_WORD_BYTES + 16)

/* Write `prefix` and the name of an error object: its type, else its code, else what it says. NULL is Python's None.
   Returns the length. */
size_t tg_error_type(char name[TG_ERROR_TYPE_BYTES], const char *prefix, yyjson_val *error);

/* Write the error's name from an error answer's body; false where the body has none. */
bool tg_error_type_of_body(char name[TG_ERROR_TYPE_BYTES], size_t *length, const char *body, size_t body_bytes);

#endif
