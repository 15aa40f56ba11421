/* The loop: what is due is written, what can be read is read, and neither holds the other up for long. */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "server_state.h"

#define BATCH 256
#define EVENTS_IN_A_ROW 16 /* so many reads may hold up what has become due meanwhile */
#define TURN_NS 200000     /* so long may writes hold up requests that wait in sockets: they have a truth as well */
#define NEVER_NS INT64_MAX

static bool watch(gt_server *server, int32_t *descriptor) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = descriptor};
  return *descriptor < 0 || epoll_ctl(server->epoll, EPOLL_CTL_ADD, *descriptor, &event) == 0;
}

gt_server *gt_server_new(const gt_settings *settings, const gt_callbacks *callbacks) {
  gt_server *server = calloc(1, sizeof *server);
  if (server == NULL) return NULL;
  server->settings = *settings;
  server->callbacks = *callbacks;
  server->table.forget = callbacks->forget;
  server->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (server->epoll >= 0 && watch(server, &server->settings.listener) && watch(server, &server->settings.stop))
    return server;
  gt_server_free(server);
  return NULL;
}

void gt_server_free(gt_server *server) {
  for (uint32_t fd = 0; fd < server->fds; fd++) {
    if (server->by_fd[fd] != NULL) gt_connection_close(server, server->by_fd[fd]);
  }
  gt_connections_free_closed(server);
  gt_table_empty(&server->table);
  if (server->epoll >= 0) close(server->epoll);
  tg_buffer_clear(&server->reader.line);
  free(server->by_fd);
  free(server->schedule.items);
  free(server->truth.rows);
  free(server);
}

/* Write one entry of the schedule, if its connection still waits for it. */
static void write_first(gt_server *server, int64_t now_ns) {
  gt_due first = server->schedule.items[0];
  gt_connection *connection = server->by_fd[first.fd];
  if (connection == NULL || connection->due_ns != first.due_ns) {
    gt_schedule_drop_first(&server->schedule);
    return;
  }
  int64_t next_ns = gt_answer_write(server, connection, now_ns);
  if (next_ns) {
    gt_schedule_move_first(&server->schedule, next_ns);
  } else {
    gt_schedule_drop_first(&server->schedule);
    gt_connection_go_on(server, connection);
  }
}

static void write_due(gt_server *server) {
  int64_t now_ns = tg_now_ns(), until_ns = now_ns + TURN_NS;
  while (server->schedule.count && server->schedule.items[0].due_ns <= now_ns && now_ns <= until_ns) {
    write_first(server, now_ns);
    now_ns = tg_now_ns();
  }
}

static void take_event(gt_server *server, const struct epoll_event *event) {
  void *what = event->data.ptr;
  if (what == &server->settings.listener)
    gt_accept(server);
  else if (what == &server->settings.stop)
    server->stopping = true;
  else
    gt_connection_event(server, what, event->events);
}

static void take_events(gt_server *server, const struct epoll_event *events, int count) {
  for (int i = 0; i < count; i++) {
    take_event(server, &events[i]);
    if (i % EVENTS_IN_A_ROW == EVENTS_IN_A_ROW - 1) write_due(server);
  }
  write_due(server);
  gt_connections_free_closed(server);
}

static int64_t next_instant(const gt_server *server) {
  int64_t next_ns = server->schedule.count ? server->schedule.items[0].due_ns : NEVER_NS;
  return server->accept_again_ns && server->accept_again_ns < next_ns ? server->accept_again_ns : next_ns;
}

/* Wait for events until an instant: to the nanosecond where the kernel can. */
static int wait_until(gt_server *server, struct epoll_event *events, int64_t until_ns) {
  int64_t left_ns = until_ns == NEVER_NS ? NEVER_NS : until_ns - tg_now_ns();
  if (left_ns < server->settings.spin_ns || left_ns < 0) left_ns = 0;
  struct timespec timeout = {left_ns / 1000000000, left_ns % 1000000000};
  long got = syscall(SYS_epoll_pwait2, server->epoll, events, BATCH, until_ns == NEVER_NS ? NULL : &timeout, NULL, 0);
  if (got < 0 && errno == ENOSYS)
    got = epoll_wait(server->epoll, events, BATCH, until_ns == NEVER_NS ? -1 : (int)(left_ns / 1000000));
  return got < 0 ? 0 : (int)got;
}

static void turn(gt_server *server, int64_t until_ns) {
  struct epoll_event events[BATCH];
  int count = wait_until(server, events, until_ns);
  take_events(server, events, count);
  if (server->accept_again_ns) gt_accept_again(server, tg_now_ns());
}

void gt_server_run(gt_server *server) {
  prctl(PR_SET_TIMERSLACK, 1UL);
  while (!server->stopping) turn(server, next_instant(server));
}

int64_t gt_server_turn(gt_server *server) {
  turn(server, 0);
  int64_t next_ns = next_instant(server);
  return next_ns == NEVER_NS ? 0 : next_ns;
}

int gt_server_fd(const gt_server *server) { return server->epoll; }

uint64_t gt_server_rows(const gt_server *server, const gt_row **rows) {
  *rows = server->truth.rows;
  return server->truth.count;
}

const tg_histogram *gt_server_gaps(const gt_server *server) { return &server->truth.gaps; }

const tg_histogram *gt_server_pace(const gt_server *server) { return &server->truth.pace; }

void gt_server_sizes(uint32_t sizes[5]) {
  const uint32_t all[5] = {sizeof(gt_settings), sizeof(gt_ask), sizeof(gt_answer), sizeof(gt_row),
                           sizeof(tg_histogram)};
  memcpy(sizes, all, sizeof all);
}
