/* HTTP/1.1's half of an exchange: where the answer's body is, and where the answer ends. */
#ifndef TG_FRAMING_H
#define TG_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llhttp.h"

typedef struct {
  bool complete;        /* the framing says that the answer has ended */
  bool headers_done;    /* the final answer's head is there */
  bool framed;          /* a header says where the body ends; else the connection's end does */
  bool between_chunks;  /* the parser stands where a chunk's size line begins, behind another chunk */
  bool value_seen;      /* the last header's value has begun */
  uint8_t name_bytes;   /* of the last header's name */
  uint8_t name_matches; /* one bit for each framing header that its bytes so far agree with */
  llhttp_t parser;
} tg_framing;

struct tg_exchange;

void tg_framing_init(struct tg_exchange *exchange);

/* Take the next bytes from the connection; NULL, or why they are not an HTTP/1.1 answer. Pieces of the body go to
   tg_exchange_take_body. */
const char *tg_framing_read(struct tg_exchange *exchange, const char *data, size_t length);

/* Take the connection's end: it completes an answer that nothing else delimits. */
void tg_framing_eof(struct tg_exchange *exchange);

#endif
