/* A stream's events differ only in their text: recognize the next one without decoding its JSON. */
#ifndef TG_TEMPLATE_H
#define TG_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What surrounds the text in an event: everything before its first and after its last character. An event with the
   same surroundings, and between them neither a quote nor a backslash nor a line end, is the same JSON with another
   non-empty string in that one place. */
typedef struct {
  uint32_t prefix_bytes;
  uint32_t suffix_bytes;
  uint32_t capacity;
  char bytes[]; /* the prefix, then the suffix */
} tg_template;

/* Find the place of `text` in an event's `data`, and note what is around it in `*slot` (NULL before the first time;
   to be freed by the caller). False where that place is not beyond doubt, and then `*slot` is as it was. */
bool tg_template_learn(tg_template **slot, const char *data, size_t length, const char *text, size_t text_bytes);

/* Whether `event`, from its "data: " to its blank line, is of the template. */
bool tg_template_matches(const tg_template *template, const char *event, size_t length);

#endif
