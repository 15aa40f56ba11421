/* Bytes that are kept between reads. An empty buffer holds no memory: most streams need none most of the time. */
#ifndef TG_BUFFER_H
#define TG_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  char *bytes;
  uint32_t length;
  uint32_t capacity;
} tg_buffer;

/* Append; false when memory is short or the buffer would pass 2 GiB, and then nothing has changed. */
bool tg_buffer_append(tg_buffer *buffer, const char *bytes, size_t length);

/* Remove the first `length` bytes. */
void tg_buffer_drop_front(tg_buffer *buffer, uint32_t length);

/* Make it empty. */
void tg_buffer_clear(tg_buffer *buffer);

#endif
