/* OpenAI's answers: what one stream chunk or one whole answer says, chat and completions. */
#ifndef TG_ANSWER_H
#define TG_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "yyjson.h"

typedef struct {
  const char *bytes; /* NULL: there is none */
  size_t length;
} tg_text;

/* The server's own token counts; TG_NONE where it told none. */
typedef struct {
  int32_t prompt_tokens;
  int32_t completion_tokens;
  int32_t cached_tokens;
} tg_usage;

typedef struct {
  yyjson_doc *doc;       /* everything below points into it */
  const char *problem;   /* why the bytes are no answer; NULL: they are one */
  uint32_t texts;        /* how many pieces of text there are, reasoning included: it is output that users wait for */
  tg_text text;          /* the last of them */
  tg_text finish_reason; /* the first among the choices */
  bool has_usage;
  tg_usage usage;
  yyjson_val *error; /* NULL: there is none */
  char pool[8 << 10]; /* most documents live in here */
  yyjson_alc allocator;
} tg_answer;

/* Decode; false with a `problem`. In any case tg_answer_release must follow. */
bool tg_answer_decode(tg_answer *answer, const char *data, size_t length);

void tg_answer_release(tg_answer *answer);

#endif
