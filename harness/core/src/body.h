/* Request bodies, shared by all requests that send the same bytes. References are counted, since Python gives
   bodies and the engine's thread is the last to need them. */
#ifndef TG_BODY_H
#define TG_BODY_H

#include <stdint.h>

#include "api.h"

typedef struct {
  uint32_t references;
  uint32_t length;
  char bytes[];
} tg_body;

/* Return a body with one reference, the caller's; NULL when memory is short. */
TG_API tg_body *tg_body_new(const char *bytes, uint32_t length);

/* Give back one reference. */
TG_API void tg_body_drop(tg_body *body);

static inline void tg_body_keep(tg_body *body) { __atomic_add_fetch(&body->references, 1, __ATOMIC_RELAXED); }

#endif
