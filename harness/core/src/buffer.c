#include "buffer.h"

#include <stdlib.h>
#include <string.h>

#define SMALLEST 64
#define LARGEST ((size_t)INT32_MAX)

static bool grow(tg_buffer *buffer, size_t needed) {
  size_t capacity = buffer->capacity ? buffer->capacity : SMALLEST;
  while (capacity < needed) capacity *= 2;
  char *bytes = realloc(buffer->bytes, capacity);
  if (bytes == NULL) return false;
  buffer->bytes = bytes;
  buffer->capacity = (uint32_t)capacity;
  return true;
}

bool tg_buffer_append(tg_buffer *buffer, const char *bytes, size_t length) {
  if (length == 0) return true;
  if (length > LARGEST - buffer->length) return false;
  size_t needed = buffer->length + length;
  if (needed > buffer->capacity && !grow(buffer, needed)) return false;
  memcpy(buffer->bytes + buffer->length, bytes, length);
  buffer->length = (uint32_t)needed;
  return true;
}

void tg_buffer_drop_front(tg_buffer *buffer, uint32_t length) {
  buffer->length -= length;
  memmove(buffer->bytes, buffer->bytes + length, buffer->length);
}

void tg_buffer_clear(tg_buffer *buffer) {
  free(buffer->bytes);
  *buffer = (tg_buffer){0};
}
