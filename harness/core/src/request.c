/* A request on its way out: head, trace, length and body, written without being put together in memory first. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "engine_state.h"

#define SMALL_BYTES 4096 /* up to here one copy and send(2) is cheaper than gathering */
#define TRACE_BYTES 160

static char *put(char *at, const char *text) {
  size_t length = strlen(text);
  memcpy(at, text, length);
  return at + length;
}

static char *put_hex(char *at, uint64_t value) {
  static const char digits[] = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) *at++ = digits[(value >> shift) & 15];
  return at;
}

static char *put_decimal(char *at, uint32_t value) {
  char reversed[10];
  int n = 0;
  do reversed[n++] = (char)('0' + value % 10);
  while (value /= 10);
  while (n) *at++ = reversed[--n];
  return at;
}

static size_t own_headers(const tg_arrival *arrival, char *text) {
  char *at = put(text, "traceparent: 00-");
  at = put_hex(put_hex(at, arrival->trace_high), arrival->trace_low);
  *at++ = '-';
  at = put_hex(at, arrival->span);
  at = put(at, arrival->sampled ? "-01\r\nContent-Length: " : "-00\r\nContent-Length: ");
  at = put_decimal(at, arrival->body->length);
  return (size_t)(put(at, "\r\n\r\n") - text);
}

static ssize_t send_gathered(int fd, struct iovec pieces[3], size_t skip) {
  struct iovec *first = pieces;
  while (skip >= first->iov_len) skip -= first++->iov_len;
  first->iov_base = (char *)first->iov_base + skip;
  first->iov_len -= skip;
  struct msghdr message = {.msg_iov = first, .msg_iovlen = (size_t)(pieces + 3 - first)};
  return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static ssize_t send_copied(int fd, const struct iovec pieces[3], size_t skip, size_t total) {
  char request[SMALL_BYTES], *at = request;
  for (int i = 0; i < 3; i++) {
    memcpy(at, pieces[i].iov_base, pieces[i].iov_len);
    at += pieces[i].iov_len;
  }
  return send(fd, request + skip, total - skip, MSG_NOSIGNAL);
}

int tg_request_write(tg_engine *engine, tg_connection *connection) {
  char own[TRACE_BYTES];
  const tg_body *body = connection->arrival.body;
  struct iovec pieces[3] = {{engine->head, engine->head_length},
                            {own, own_headers(&connection->arrival, own)},
                            {(char *)body->bytes, body->length}};
  size_t total = pieces[0].iov_len + pieces[1].iov_len + pieces[2].iov_len;
  connection->request_bytes = (uint32_t)total;
  while (connection->written < total) {
    struct iovec rest[3] = {pieces[0], pieces[1], pieces[2]};
    ssize_t sent = total <= SMALL_BYTES ? send_copied(connection->fd, rest, connection->written, total)
                                        : send_gathered(connection->fd, rest, connection->written);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno;
    connection->written += (uint32_t)sent;
  }
  return 0;
}
