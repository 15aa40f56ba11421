/* One whole chunk of the chunked transfer coding, as servers write one event: recognized without the parser. */
#ifndef TG_CHUNK_H
#define TG_CHUNK_H

#include <stddef.h>

/* Where a chunk's data is in the bytes that begin with its size line. */
typedef struct {
  const char *data;
  size_t length;
  size_t whole; /* with the size line before and the line end behind; 0: this is no plain, whole chunk */
} tg_chunk;

/* Find the chunk that `bytes` begin with. A parser that stands before its size line would give `data` to the body in
   one piece and stand before the next size line afterwards: nothing else about it would have changed. A size line
   that is not the plainest (leading zeros, extensions) is left to the parser, as is the last chunk. */
static inline tg_chunk tg_chunk_find(const char *bytes, size_t length) {
  const tg_chunk none = {0};
  size_t at = 0, size = 0;
  for (; at < length && at < 8; at++) {
    unsigned char byte = (unsigned char)bytes[at], letter = byte | 0x20;
    if (byte >= '0' && byte <= '9')
      size = size << 4 | (byte - '0');
    else if (letter >= 'a' && letter <= 'f')
      size = size << 4 | (letter - 'a' + 10);
    else
      break;
  }
  if (at == 0 || bytes[0] == '0' || length - at < size + 4) return none;
  const char *data = bytes + at + 2, *end = data + size;
  if (data[-2] != '\r' || data[-1] != '\n' || end[0] != '\r' || end[1] != '\n') return none;
  return (tg_chunk){data, size, at + size + 4};
}

#endif
