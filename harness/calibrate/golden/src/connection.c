/* A connection's bytes: what was read until it is a request, what was written until it has left. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "receive.h"
#include "server_state.h"

#define UNREAD_BYTES_MAX (GT_HEAD_BYTES_MAX + GT_BODY_BYTES_MAX) /* who sends more ahead of its answer is not served */
#define FIRST_FDS 1024

static bool make_room(gt_server *server, int fd) {
  uint32_t fds = server->fds ? server->fds : FIRST_FDS;
  while (fds <= (uint32_t)fd) fds *= 2;
  if (fds == server->fds) return true;
  gt_connection **by_fd = realloc(server->by_fd, fds * sizeof *by_fd);
  if (by_fd == NULL) return false;
  memset(by_fd + server->fds, 0, (fds - server->fds) * sizeof *by_fd);
  server->by_fd = by_fd;
  server->fds = fds;
  return true;
}

static bool watch(gt_server *server, gt_connection *connection, int change, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  return epoll_ctl(server->epoll, change, connection->fd, &event) == 0;
}

void gt_connection_open(gt_server *server, int fd) {
  gt_connection *connection = make_room(server, fd) ? calloc(1, sizeof *connection) : NULL;
  if (connection != NULL) connection->fd = fd;
  if (connection == NULL || !watch(server, connection, EPOLL_CTL_ADD, EPOLLIN)) {
    free(connection);
    close(fd);
    return;
  }
  server->by_fd[fd] = connection;
}

void gt_connection_close(gt_server *server, gt_connection *connection) {
  if (connection->fd < 0) return;
  if (connection->entry != NULL) gt_answer_break(server, connection);
  server->by_fd[connection->fd] = NULL;
  close(connection->fd);
  connection->fd = -1;
  connection->next_closed = server->closed;
  server->closed = connection;
}

/* Only now: until the turn's end a function up the stack, or an event, may still look at one. */
void gt_connections_free_closed(gt_server *server) {
  while (server->closed != NULL) {
    gt_connection *connection = server->closed;
    server->closed = connection->next_closed;
    tg_buffer_clear(&connection->unread);
    tg_buffer_clear(&connection->unsent);
    free(connection);
  }
}

/* Writing. */

static void leave(gt_server *server, gt_connection *connection, const char *bytes, size_t length) {
  if (connection->unsent.length == 0) watch(server, connection, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  if (!tg_buffer_append(&connection->unsent, bytes, length)) gt_connection_close(server, connection);
}

void gt_connection_send(gt_server *server, gt_connection *connection, gt_text data) {
  if (connection->unsent.length) {
    leave(server, connection, data.bytes, data.length);
    return;
  }
  ssize_t sent = send(connection->fd, data.bytes, data.length, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return; /* the peer is gone: the next read will tell */
  if (sent < 0) sent = 0;
  if ((size_t)sent < data.length) leave(server, connection, data.bytes + sent, data.length - (size_t)sent);
}

/* Write what a slow reader had no room for. */
static void catch_up(gt_server *server, gt_connection *connection) {
  tg_buffer *unsent = &connection->unsent;
  ssize_t sent = send(connection->fd, unsent->bytes, unsent->length, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN) gt_connection_close(server, connection);
    return;
  }
  tg_buffer_drop_front(unsent, (uint32_t)sent);
  if (unsent->length) return;
  tg_buffer_clear(unsent);
  watch(server, connection, EPOLL_CTL_MOD, EPOLLIN);
  if (connection->closes && connection->entry == NULL) gt_connection_close(server, connection);
}

/* Reading. */

/* Take requests from the front of `data`, as long as each is answered at once; return the bytes taken. */
static size_t take_requests(gt_server *server, gt_connection *connection, const char *data, size_t length,
                            int64_t arrived_ns) {
  size_t taken = 0, bytes;
  while (taken < length && connection->fd >= 0 && connection->entry == NULL && !connection->closes) {
    bytes = gt_request_take(server, connection, data + taken, length - taken, taken ? tg_now_ns() : arrived_ns);
    if (bytes == 0) break;
    taken += bytes;
  }
  if (connection->closes && connection->entry == NULL && !connection->unsent.length)
    gt_connection_close(server, connection);
  return taken;
}

static void take_unread(gt_server *server, gt_connection *connection, int64_t arrived_ns) {
  tg_buffer *unread = &connection->unread;
  size_t taken = take_requests(server, connection, unread->bytes, unread->length, arrived_ns);
  if (taken == unread->length)
    tg_buffer_clear(unread);
  else if (taken)
    tg_buffer_drop_front(unread, (uint32_t)taken);
}

void gt_connection_go_on(gt_server *server, gt_connection *connection) {
  if (connection->fd >= 0) take_unread(server, connection, tg_now_ns());
}

static void keep(gt_server *server, gt_connection *connection, const char *data, size_t length) {
  if (connection->fd < 0 || connection->closes || length == 0) return; /* nothing comes behind the last answer */
  if (connection->unread.length + length > UNREAD_BYTES_MAX || !tg_buffer_append(&connection->unread, data, length))
    gt_connection_close(server, connection);
}

static void take(gt_server *server, gt_connection *connection, size_t length, int64_t arrived_ns) {
  const char *data = server->buffer;
  if (connection->unread.length == 0 && connection->entry == NULL) { /* the rule: a request a read */
    size_t taken = take_requests(server, connection, data, length, arrived_ns);
    keep(server, connection, data + taken, length - taken);
    return;
  }
  keep(server, connection, data, length);
  if (connection->fd >= 0 && connection->entry == NULL) take_unread(server, connection, arrived_ns);
}

/* Return when bytes reached the machine, on the monotonic clock: a busy server reads late. */
static int64_t arrival(int64_t wall_ns) {
  int64_t now_ns = tg_now_ns(), late_ns = wall_ns ? tg_read_clock(CLOCK_REALTIME) - wall_ns : 0;
  return now_ns - (late_ns > 0 ? late_ns : 0);
}

static void receive(gt_server *server, gt_connection *connection) {
  int64_t wall_ns;
  ssize_t got = tg_receive(connection->fd, server->buffer, sizeof server->buffer, &wall_ns);
  if (got > 0)
    take(server, connection, (size_t)got, arrival(wall_ns));
  else if (got == 0 || errno != EAGAIN)
    gt_connection_close(server, connection);
}

void gt_connection_event(gt_server *server, gt_connection *connection, uint32_t events) {
  if (connection->fd >= 0 && events & EPOLLOUT && connection->unsent.length) catch_up(server, connection);
  if (connection->fd >= 0 && events & ~(uint32_t)EPOLLOUT) receive(server, connection);
}
