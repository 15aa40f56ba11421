/* The table of words: an array that only grows, so that a reader needs no lock, and a hash over it for the writer. */
#include "words.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

#define SLOTS (2 * TG_WORDS_MAX) /* half full at most */
#define OTHER (TG_WORDS_MAX - 1)
#define CHARACTERS_MAX 80
#define REPLACEMENT "\xef\xbf\xbd"

_Static_assert(CHARACTERS_MAX * TG_UTF8_MAX <= TG_WORD_BYTES, "a word of the longest characters fits");

struct tg_words {
  _Atomic uint16_t count; /* texts[0 .. count - 1] may be read by any thread */
  char *texts[TG_WORDS_MAX];
  uint16_t slots[SLOTS]; /* 0: free */
};

tg_words *tg_words_new(void) {
  tg_words *words = calloc(1, sizeof *words);
  if (words != NULL) atomic_store(&words->count, 1);
  return words;
}

void tg_words_free(tg_words *words) {
  if (words == NULL) return;
  for (uint16_t number = 1; number < words->count; number++) free(words->texts[number]);
  free(words);
}

/* Write a text as a word: at most 80 characters, without what a C string or UTF-8 cannot hold. */
static size_t clean(char word[TG_WORD_BYTES + 1], const char *text, size_t length) {
  size_t made = 0, read = 0;
  for (int characters = 0; read < length && characters < CHARACTERS_MAX; characters++) {
    size_t bytes = tg_utf8_character(text + read, length - read);
    if (bytes > 0 && text[read] != '\0') {
      memcpy(word + made, text + read, bytes);
      made += bytes, read += bytes;
    } else {
      memcpy(word + made, REPLACEMENT, sizeof REPLACEMENT - 1);
      made += sizeof REPLACEMENT - 1, read++;
    }
  }
  word[made] = '\0';
  return made;
}

static uint32_t hash(const char *word, size_t length) { /* FNV-1a */
  uint32_t value = 2166136261u;
  for (size_t i = 0; i < length; i++) value = (value ^ (unsigned char)word[i]) * 16777619u;
  return value;
}

static uint16_t add(tg_words *words, const char *word, size_t length, uint16_t *slot) {
  uint16_t number = words->count;
  if (number == OTHER) return OTHER;
  char *copy = malloc(length + 1);
  if (copy == NULL) return OTHER;
  memcpy(copy, word, length + 1);
  words->texts[number] = copy;
  *slot = number;
  atomic_store_explicit(&words->count, number + 1, memory_order_release);
  return number;
}

uint16_t tg_words_number(tg_words *words, const char *text, size_t length) {
  char word[TG_WORD_BYTES + 1];
  length = clean(word, text, length);
  if (length == 0) return 0;
  for (uint32_t at = hash(word, length) % SLOTS;; at = (at + 1) % SLOTS) {
    uint16_t number = words->slots[at];
    if (number == 0) return add(words, word, length, &words->slots[at]);
    if (strcmp(words->texts[number], word) == 0) return number;
  }
}

const char *tg_words_text(const tg_words *words, uint16_t number) {
  if (number == OTHER) return "(other)";
  if (number == 0 || number >= atomic_load_explicit(&words->count, memory_order_acquire)) return "";
  return words->texts[number];
}
