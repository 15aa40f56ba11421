/* Short strings that records name by number: error types and finish reasons. */
#ifndef TG_WORDS_H
#define TG_WORDS_H

#include <stddef.h>
#include <stdint.h>

#define TG_WORD_BYTES 320   /* 80 characters of UTF-8 */
#define TG_WORDS_MAX 4096   /* a server that invents more gets "(other)" for the rest */

typedef struct tg_words tg_words;

tg_words *tg_words_new(void);
void tg_words_free(tg_words *words);

/* Return the number of a text, cut to 80 characters of valid UTF-8; 0 is the empty text. One thread writes. */
uint16_t tg_words_number(tg_words *words, const char *text, size_t length);

/* Return the text of a number (NUL-terminated), "" for an unknown one. */
const char *tg_words_text(const tg_words *words, uint16_t number);

#endif
