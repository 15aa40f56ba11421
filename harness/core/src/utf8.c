/* Table 3-7 of the Unicode Standard: the second byte's range depends on the first. */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

static bool continues(unsigned char byte) { return (byte & 0xc0) == 0x80; }

static bool second_fits(unsigned char first, unsigned char second) {
  switch (first) {
    case 0xe0: return second >= 0xa0 && second <= 0xbf; /* else overlong */
    case 0xed: return second >= 0x80 && second <= 0x9f; /* else a surrogate */
    case 0xf0: return second >= 0x90 && second <= 0xbf; /* else overlong */
    case 0xf4: return second >= 0x80 && second <= 0x8f; /* else above U+10FFFF */
    default: return continues(second);
  }
}

size_t tg_utf8_character(const char *text, size_t length) {
  if (length == 0) return 0;
  const unsigned char *bytes = (const unsigned char *)text;
  if (bytes[0] < 0x80) return 1;
  if (bytes[0] < 0xc2 || bytes[0] > 0xf4) return 0;
  size_t size = bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
  if (length < size || !second_fits(bytes[0], bytes[1])) return 0;
  for (size_t i = 2; i < size; i++) {
    if (!continues(bytes[i])) return 0;
  }
  return size;
}

/* How many bytes of ASCII `text` begins with, rounded down to whole words. */
static size_t ascii_words(const char *text, size_t length) {
  size_t at = 0;
  for (uint64_t word; at + sizeof word <= length; at += sizeof word) {
    memcpy(&word, text + at, sizeof word);
    if (word & 0x8080808080808080u) break;
  }
  return at;
}

bool tg_utf8_valid(const char *text, size_t length) {
  for (size_t at = ascii_words(text, length); at < length;) {
    size_t bytes = tg_utf8_character(text + at, length - at);
    if (bytes == 0) return false;
    at += bytes;
  }
  return true;
}
