/* The server from inside: what its files share. */
#ifndef GT_SERVER_STATE_H
#define GT_SERVER_STATE_H

#include <stdbool.h>
#include <sys/epoll.h>

#include "ask.h"
#include "buffer.h"
#include "schedule.h"
#include "server.h"
#include "table.h"
#include "truth.h"

#define GT_RECEIVE_BYTES (64 << 10)

/* A keep-alive connection; it answers one request at a time. Bytes that came early or could not leave are rare, so an
   idle stream holds this struct, its entry in the schedule and its row in the log. */
typedef struct gt_connection {
  gt_entry *entry; /* what is being written; NULL: nothing */
  int64_t due_ns;  /* of the next write; 0: none */
  int64_t last_ns; /* of the last write */
  uint32_t position; /* where the request begins in the tables of drawn delays */
  uint32_t row;
  int32_t written; /* writes done */
  int32_t fd;      /* −1: closed, and gone at the end of the turn */
  tg_buffer unread, unsent;
  struct gt_connection *next_closed;
  bool closes; /* after this answer */
} gt_connection;

struct gt_server {
  gt_settings settings;
  gt_callbacks callbacks;
  int epoll;
  bool stopping;
  int64_t accept_again_ns; /* 0: the listener is watched */
  gt_connection **by_fd;
  uint32_t fds;
  gt_connection *closed;
  gt_schedule schedule;
  gt_table table;
  gt_truth truth;
  gt_reader reader;
  char buffer[GT_RECEIVE_BYTES];
};

/* accept.c */

/* Take the connections that wait, a turn's share of them. */
void gt_accept(gt_server *server);

/* Look at the listener again, if the time has come. */
void gt_accept_again(gt_server *server, int64_t now_ns);

/* connection.c */

/* Own a descriptor from now on; it is closed at once when memory is short. */
void gt_connection_open(gt_server *server, int fd);
void gt_connection_close(gt_server *server, gt_connection *connection);
void gt_connection_event(gt_server *server, gt_connection *connection, uint32_t events);

/* Go on behind an answer that has ended: end the connection, or take the next request. */
void gt_connection_go_on(gt_server *server, gt_connection *connection);

/* Send now what the socket takes, and the rest when it takes more. */
void gt_connection_send(gt_server *server, gt_connection *connection, gt_text data);

/* Free what was closed during the turn. */
void gt_connections_free_closed(gt_server *server);

/* request.c */

/* Answer the request at the front of `data`, or begin to; return its bytes, 0 while it is incomplete. */
size_t gt_request_take(gt_server *server, gt_connection *connection, const char *data, size_t length,
                       int64_t arrived_ns);

/* answering.c */

/* Log the request, and wait for the first write or do it. */
void gt_answer_begin(gt_server *server, gt_connection *connection, gt_entry *entry, const gt_head *head,
                     int64_t arrived_ns);

/* Write what is due; return when the next write is, or 0 when the answer has ended. */
int64_t gt_answer_write(gt_server *server, gt_connection *connection, int64_t now_ns);

/* Count what an unfinished answer had, and forget it. */
void gt_answer_break(gt_server *server, gt_connection *connection);

#endif
