#include "body.h"

#include <stdlib.h>
#include <string.h>

tg_body *tg_body_new(const char *bytes, uint32_t length) {
  tg_body *body = malloc(sizeof *body + length);
  if (!body) return NULL;
  body->references = 1;
  body->length = length;
  memcpy(body->bytes, bytes, length);
  return body;
}

void tg_body_drop(tg_body *body) {
  if (__atomic_sub_fetch(&body->references, 1, __ATOMIC_ACQ_REL) == 0) free(body);
}
