/* UTF-8, as strict as Python's: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef TG_UTF8_H
#define TG_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#define TG_UTF8_MAX 4 /* bytes of one character */

/* Return how many bytes the character at the beginning of `text` has; 0 where that is none. */
size_t tg_utf8_character(const char *text, size_t length);

/* Whether all of `text` is UTF-8. */
bool tg_utf8_valid(const char *text, size_t length);

#endif
