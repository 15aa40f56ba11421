/* Calls over connections: reuse, the one replacement of a closed connection, timeouts, cancellation. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "engine_state.h"
#include "error_name.h"
#include "receive.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define SLAB 256
#define READABLE (EPOLLIN | EPOLLRDHUP | EPOLLET)
#define GONE (EPOLLRDHUP | EPOLLHUP | EPOLLERR)

static void connect_next(tg_engine *engine, tg_connection *connection, const char *reason);

/* Memory: slabs that are kept to the end. What is freed may still have an event in the batch at hand, so it is
   used again only after that batch. */

static bool add_slab(tg_engine *engine) {
  struct slab {
    void *next;
    tg_connection connections[SLAB];
  } *slab = calloc(1, sizeof *slab);
  if (!slab) return false;
  slab->next = engine->slabs;
  engine->slabs = slab;
  for (int i = 0; i < SLAB; i++) {
    slab->connections[i].next = engine->free_now;
    engine->free_now = &slab->connections[i];
  }
  return true;
}

static tg_connection *take_free(tg_engine *engine) {
  if (!engine->free_now && !add_slab(engine)) return NULL;
  tg_connection *connection = engine->free_now;
  engine->free_now = connection->next;
  memset(connection, 0, sizeof *connection);
  connection->fd = -1;
  return connection;
}

void tg_connections_reuse_freed(tg_engine *engine) {
  while (engine->free_later) {
    tg_connection *connection = engine->free_later;
    engine->free_later = connection->next;
    connection->next = engine->free_now;
    engine->free_now = connection;
  }
}

/* The two lists. */

static void link_busy(tg_engine *engine, tg_connection *connection) {
  tg_connection *head = &engine->busy;
  connection->state = TG_BUSY;
  connection->previous = head->previous;
  connection->next = head;
  head->previous->next = connection;
  head->previous = connection;
  engine->counters.in_flight++;
}

static void unlink_busy(tg_engine *engine, tg_connection *connection) {
  connection->previous->next = connection->next;
  connection->next->previous = connection->previous;
  engine->counters.in_flight--;
}

static void push_idle(tg_engine *engine, tg_connection *connection) {
  connection->state = TG_IDLE;
  connection->previous = NULL;
  connection->next = engine->idle;
  if (engine->idle) engine->idle->previous = connection;
  engine->idle = connection;
  engine->idle_count++;
}

static void unlink_idle(tg_engine *engine, tg_connection *connection) {
  if (connection->previous)
    connection->previous->next = connection->next;
  else
    engine->idle = connection->next;
  if (connection->next) connection->next->previous = connection->previous;
  engine->idle_count--;
}

/* Ends. */

static void close_socket(tg_connection *connection) {
  if (connection->fd < 0) return;
  close(connection->fd);
  connection->fd = -1;
}

void tg_connection_close(tg_engine *engine, tg_connection *connection) {
  if (connection->state == TG_IDLE) unlink_idle(engine, connection);
  close_socket(connection);
  tg_wheel_forget(&connection->timed);
  connection->state = TG_CLOSED;
  connection->next = engine->free_later;
  engine->free_later = connection;
}

static void report(tg_engine *engine, tg_connection *connection, int64_t end_ns) {
  tg_record record = {.index = connection->index,
                      .intended_ns = connection->arrival.due_ns,
                      .sent_ns = connection->sent_ns,
                      .connected_ns = connection->connected_ns,
                      .end_ns = end_ns,
                      .reconnects = connection->reconnects,
                      .stage = connection->arrival.stage};
  tg_exchange_fill(&connection->exchange, &record);
  tg_output_add(engine, &record, connection->exchange.gaps);
}

/* End the call of a busy connection, whose exchange has its outcome. */
static void finish(tg_engine *engine, tg_connection *connection, bool keep, int64_t end_ns) {
  if (connection->exchange.outcome == TG_OK) engine->good_target = connection->address;
  report(engine, connection, end_ns);
  tg_exchange_release(&connection->exchange);
  tg_body_drop(connection->arrival.body);
  unlink_busy(engine, connection);
  if (keep && engine->settings.reuse && engine->idle_count < engine->settings.max_idle && !engine->stopping)
    push_idle(engine, connection);
  else
    tg_connection_close(engine, connection);
}

static void fail(tg_engine *engine, tg_connection *connection, tg_outcome outcome, const char *reason) {
  tg_exchange_end(&connection->exchange, outcome, reason);
  finish(engine, connection, false, tg_now_ns());
}

void tg_connection_cancel(tg_engine *engine, tg_connection *connection) {
  fail(engine, connection, TG_CANCELLED, NULL);
}

/* Deadlines. */

static int64_t deadline_ns(const tg_engine *engine, const tg_connection *connection) {
  int64_t request = connection->sent_ns + engine->settings.request_ns;
  int64_t silence = connection->connect_deadline_ns ? connection->connect_deadline_ns
                                                    : connection->heard_ns + engine->settings.read_ns;
  return request < silence ? request : silence;
}

static void watch(tg_engine *engine, tg_connection *connection) {
  if (connection->state == TG_BUSY)
    tg_wheel_watch(&engine->wheel, &connection->timed, deadline_ns(engine, connection));
}

static void expire(tg_engine *engine, tg_connection *connection, int64_t now_ns) {
  if (now_ns >= connection->sent_ns + engine->settings.request_ns)
    fail(engine, connection, TG_TIMEOUT, "request timeout");
  else if (!connection->connect_deadline_ns)
    fail(engine, connection, TG_TIMEOUT, "read timeout");
  else if (connection->tried < engine->targets_count)
    connect_next(engine, connection, "connect timeout");
  else
    fail(engine, connection, TG_TIMEOUT, "connect timeout");
}

void tg_connection_visit(tg_engine *engine, tg_connection *connection, int64_t now_ns) {
  if (connection->state != TG_BUSY) return;
  if (deadline_ns(engine, connection) <= now_ns)
    expire(engine, connection, now_ns);
  else
    watch(engine, connection);
}

/* Sending. */

static void open_for_call(tg_engine *engine, tg_connection *connection) {
  connection->uses = 1;
  connection->tried = 0;
  connection->written = 0;
  connection->connected_ns = TG_NONE;
  connect_next(engine, connection, "no address");
}

static void closed(tg_engine *engine, tg_connection *connection, const char *reason, bool orderly) {
  if (connection->state == TG_IDLE) {
    tg_connection_close(engine, connection);
  } else if (connection->uses > 1 && connection->exchange.first_byte_ns == TG_NONE && !connection->reconnects) {
    connection->reconnects = 1;
    engine->counters.reconnects++;
    open_for_call(engine, connection);
  } else if (orderly) {
    int64_t now_ns = tg_now_ns();
    tg_exchange_eof(&connection->exchange, now_ns);
    finish(engine, connection, false, now_ns);
  } else {
    fail(engine, connection, TG_DISCONNECTED, reason);
  }
}

static void listen_for(tg_engine *engine, tg_connection *connection, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  epoll_ctl(engine->epoll, operation, connection->fd, &event);
}

/* Write what the socket takes. `operation` is how to tell epoll of this socket: EPOLL_CTL_ADD for a new one, 0 for
   one that need only be told when room is awaited. */
static void write_request(tg_engine *engine, tg_connection *connection, int operation) {
  int error = tg_request_write(engine, connection);
  if (error && error != EAGAIN) {
    closed(engine, connection, tg_error_name(error), false);
  } else if (error == EAGAIN) {
    listen_for(engine, connection, operation ? operation : EPOLL_CTL_MOD, READABLE | EPOLLOUT);
  } else if (operation) {
    listen_for(engine, connection, operation, READABLE);
  }
}

static void connected(tg_engine *engine, tg_connection *connection, int operation) {
  connection->connect_deadline_ns = 0;
  connection->heard_ns = connection->connected_ns = tg_now_ns();
  write_request(engine, connection, operation);
  watch(engine, connection);
}

static void send_on(tg_engine *engine, tg_connection *connection) {
  connection->uses++;
  connection->written = 0;
  connection->heard_ns = connection->sent_ns;
  connection->connected_ns = TG_NONE;
  write_request(engine, connection, 0);
  watch(engine, connection);
}

bool tg_call_begin(tg_engine *engine, const tg_arrival *arrival, int64_t index, int64_t now_ns) {
  tg_connection *connection = engine->idle;
  bool reused = connection != NULL;
  if (reused)
    unlink_idle(engine, connection);
  else if (!(connection = take_free(engine)))
    return false;
  connection->arrival = *arrival;
  connection->index = index;
  connection->sent_ns = now_ns;
  connection->reconnects = 0;
  tg_exchange_init(&connection->exchange, &engine->shared, &engine->itl[arrival->stage], arrival->stream);
  link_busy(engine, connection);
  if (reused)
    send_on(engine, connection);
  else
    open_for_call(engine, connection);
  return true;
}

/* Connecting. */

static bool is_ours(int error) {
  return error == EMFILE || error == ENFILE || error == EADDRNOTAVAIL || error == ENOBUFS || error == ENOMEM;
}

static socklen_t length_of(const struct sockaddr_storage *address) {
  return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* Bind to the next of our addresses that is of the target's family; returns 0 or an errno. */
static int bind_source(tg_engine *engine, int fd, int family) {
  for (uint32_t i = 0; i < engine->sources_count; i++) {
    const struct sockaddr_storage *source = &engine->sources[engine->next_source];
    engine->next_source = (engine->next_source + 1) % engine->sources_count;
    if (source->ss_family != family) continue;
    int on = 1; /* the port is chosen at connect, so that one port serves many targets */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return bind(fd, (const struct sockaddr *)source, length_of(source)) ? errno : 0;
  }
  return 0;
}

/* Begin to connect; returns 0 when connected at once, EINPROGRESS, or the error. */
static int begin_connect(tg_engine *engine, tg_connection *connection) {
  const struct sockaddr_storage *target = &engine->targets[connection->address];
  int fd = socket(target->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  if (fd < 0) return errno;
  connection->fd = fd;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (engine->settings.stamps) tg_ask_for_stamps(fd);
  int error = engine->sources_count ? bind_source(engine, fd, target->ss_family) : 0;
  if (error) return error;
  return connect(fd, (const struct sockaddr *)target, length_of(target)) ? errno : 0;
}

static void connect_next(tg_engine *engine, tg_connection *connection, const char *reason) {
  close_socket(connection);
  uint8_t first = engine->good_target;
  while (connection->tried < engine->targets_count) {
    connection->address = (uint8_t)((first + connection->tried++) % engine->targets_count);
    connection->connect_deadline_ns = tg_now_ns() + engine->settings.connect_ns / engine->targets_count;
    int error = begin_connect(engine, connection);
    if (error == 0) {
      connected(engine, connection, EPOLL_CTL_ADD);
      return;
    }
    if (error == EINPROGRESS) {
      listen_for(engine, connection, EPOLL_CTL_ADD, READABLE | EPOLLOUT);
      watch(engine, connection);
      return;
    }
    close_socket(connection);
    reason = tg_error_name(error);
    if (is_ours(error)) {
      connection->sent_ns = TG_NONE;
      fail(engine, connection, TG_DROPPED, reason);
      return;
    }
  }
  fail(engine, connection, TG_REFUSED, reason);
}

/* Reading. */

/* When bytes came, on the monotonic clock: the kernel's stamp, kept between what we know to be before and after. */
static int64_t arrival_ns(const tg_engine *engine, const tg_connection *connection, int64_t wall_ns, int64_t now_ns) {
  if (!wall_ns) return now_ns;
  int64_t at_ns = wall_ns - engine->offset_ns;
  int64_t earliest = connection->exchange.last_token_ns;
  if (earliest < connection->exchange.first_byte_ns) earliest = connection->exchange.first_byte_ns;
  if (earliest < connection->sent_ns) earliest = connection->sent_ns;
  if (at_ns < earliest) return earliest;
  return at_ns > now_ns ? now_ns : at_ns;
}

static void count_read(tg_engine *engine, bool stamped, int32_t tokens) {
  tg_counters *counters = &engine->counters;
  counters->reads++;
  counters->stamped_reads += stamped;
  counters->token_reads += tokens > 0;
  counters->shared_token_reads += tokens > 1;
}

/* Take the bytes of one read; false when the connection is closed now. */
static bool take(tg_engine *engine, tg_connection *connection, size_t bytes, int64_t wall_ns) {
  int64_t now_ns = tg_now_ns();
  if (connection->state == TG_IDLE) {
    closed(engine, connection, "unasked bytes", false);
    return false;
  }
  int64_t at_ns = arrival_ns(engine, connection, wall_ns, now_ns);
  int32_t chunks = connection->exchange.chunks;
  connection->heard_ns = now_ns;
  bool ended = tg_exchange_feed(&connection->exchange, engine->buffer, bytes, at_ns);
  if (!chunks && connection->exchange.chunks) tg_histogram_add(&engine->ttft, at_ns - connection->arrival.due_ns);
  count_read(engine, wall_ns != 0, connection->exchange.chunks - chunks);
  if (ended) {
    bool keep = connection->exchange.reusable && connection->written == connection->request_bytes;
    finish(engine, connection, keep, at_ns);
  }
  return connection->state == TG_BUSY || connection->state == TG_IDLE;
}

static void on_readable(tg_engine *engine, tg_connection *connection, bool to_the_end) {
  for (;;) {
    int64_t wall_ns = 0;
    ssize_t got = engine->settings.stamps ? tg_receive(connection->fd, engine->buffer, TG_RECEIVE_BYTES, &wall_ns)
                                          : recv(connection->fd, engine->buffer, TG_RECEIVE_BYTES, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got <= 0) {
      closed(engine, connection, got ? tg_error_name(errno) : "eof", got == 0);
      return;
    }
    int fd = connection->fd;
    if (!take(engine, connection, (size_t)got, wall_ns) || connection->fd != fd) return;
    if (got < TG_RECEIVE_BYTES && !to_the_end) return; /* a short read has emptied the socket */
  }
}

static int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

void tg_connection_event(tg_engine *engine, tg_connection *connection, uint32_t events) {
  if (connection->state != TG_BUSY && connection->state != TG_IDLE) return;
  int fd = connection->fd;
  if (connection->connect_deadline_ns && connection->state == TG_BUSY) {
    int error = pending_error(fd);
    if (error) {
      connect_next(engine, connection, tg_error_name(error));
      return;
    }
    if (!(events & EPOLLOUT)) return;
    connected(engine, connection, 0);
  } else if ((events & EPOLLOUT) && connection->state == TG_BUSY && connection->written < connection->request_bytes) {
    write_request(engine, connection, 0);
  }
  bool same = connection->fd == fd && (connection->state == TG_BUSY || connection->state == TG_IDLE);
  if (same && (events & (EPOLLIN | GONE))) on_readable(engine, connection, events & GONE);
}
