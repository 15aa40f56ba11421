#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>

#include "clock.h"
#include "server_state.h"

#define ACCEPTED_A_TURN 64      /* so many may hold up requests that wait in sockets */
#define SHORTAGE_NS 20000000    /* without a descriptor to accept with the listener would be ready for ever */

static void watch(gt_server *server, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = &server->settings.listener};
  epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->settings.listener, &event);
}

static bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void pause_accepting(gt_server *server) {
  watch(server, 0);
  server->accept_again_ns = tg_now_ns() + SHORTAGE_NS;
}

void gt_accept_again(gt_server *server, int64_t now_ns) {
  if (server->accept_again_ns == 0 || now_ns < server->accept_again_ns) return;
  server->accept_again_ns = 0;
  watch(server, EPOLLIN);
}

void gt_accept(gt_server *server) {
  for (int i = 0; i < ACCEPTED_A_TURN; i++) {
    int fd = accept4(server->settings.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      gt_connection_open(server, fd);
    } else if (errno != ECONNABORTED && errno != EINTR) { /* those have left again; the next may still wait */
      if (is_shortage(errno)) pause_accepting(server);
      return;
    }
  }
}
