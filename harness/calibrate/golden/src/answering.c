/* An answer's writes, each when it is due, and the truth about them. */
#include <sys/socket.h>

#include "clock.h"
#include "server_state.h"

#define HTTP_OK 200

static gt_row *row_of(gt_server *server, const gt_connection *connection) {
  return &server->truth.rows[connection->row];
}

/* Where a request begins in the tables follows from its trace id, if it has one. */
static uint32_t position_of(const gt_row *row, uint32_t number) {
  uint32_t position = (uint32_t)row->trace[GT_TRACE_BYTES - 2] << 8 | row->trace[GT_TRACE_BYTES - 1];
  return position ? position : number;
}

/* The connection has nothing to write any more. */
static void forget(gt_server *server, gt_connection *connection) {
  gt_entry_let_go(&server->table, connection->entry);
  connection->entry = NULL;
  connection->due_ns = 0;
  server->settings.counts[GT_RUNNING]--;
}

static void broken(gt_server *server, gt_connection *connection, int32_t tokens) {
  gt_row *row = row_of(server, connection);
  row->tokens = tokens;
  if (tokens) row->last_write_ns = connection->last_ns;
  server->settings.counts[GT_TOKENS] += tokens;
  server->settings.counts[GT_BROKEN]++;
  forget(server, connection);
}

void gt_answer_break(gt_server *server, gt_connection *connection) {
  broken(server, connection, connection->entry->answer.stream ? connection->written : 0);
}

static void reset(gt_server *server, gt_connection *connection) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0}; /* closing sends a reset */
  setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  gt_connection_close(server, connection);
}

static int ending_of(const gt_answer *answer) {
  if (answer->status != HTTP_OK) return GT_REFUSED;
  return answer->finishes ? GT_FINISHED : GT_BROKEN;
}

static void log_end(gt_server *server, gt_connection *connection, const gt_answer *answer, int64_t now_ns) {
  gt_row *row = row_of(server, connection);
  tg_histogram_add(&server->truth.pace, now_ns - connection->due_ns);
  row->last_write_ns = now_ns;
  row->tokens = answer->tokens;
  if (answer->writes == 1)
    row->first_write_ns = now_ns;
  else
    tg_histogram_add(&server->truth.gaps, now_ns - connection->last_ns);
}

/* Do the answer's last write. All counts move before it: who has read it may read them. */
static void end(gt_server *server, gt_connection *connection, int64_t now_ns) {
  gt_entry *entry = gt_entry_hold(connection->entry); /* its bytes must outlive the answer's end */
  const gt_answer *answer = &entry->answer;
  if (answer->resets) {
    broken(server, connection, answer->tokens);
    reset(server, connection);
  } else {
    log_end(server, connection, answer, now_ns);
    server->settings.counts[GT_TOKENS] += answer->tokens;
    server->settings.counts[ending_of(answer)]++;
    forget(server, connection);
    gt_connection_send(server, connection, answer->writes == 1 ? answer->first : answer->last);
  }
  gt_entry_let_go(&server->table, entry);
}

static int64_t stall_before(const gt_answer *answer, int32_t token) {
  uint32_t low = 0, high = answer->stalls_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (answer->stalls[2 * middle] < token)
      low = middle + 1;
    else
      high = middle;
  }
  return low < answer->stalls_count && answer->stalls[2 * low] == token ? answer->stalls[2 * low + 1] : 0;
}

static void write_token(gt_server *server, gt_connection *connection, const gt_answer *answer, int64_t now_ns) {
  tg_histogram_add(&server->truth.pace, now_ns - connection->due_ns);
  if (connection->written == 1)
    row_of(server, connection)->first_write_ns = now_ns;
  else
    tg_histogram_add(&server->truth.gaps, now_ns - connection->last_ns);
  connection->last_ns = now_ns;
  gt_connection_send(server, connection, connection->written == 1 ? answer->first : answer->middle);
}

int64_t gt_answer_write(gt_server *server, gt_connection *connection, int64_t now_ns) {
  const gt_answer *answer = &connection->entry->answer;
  int32_t number = ++connection->written;
  if (number == answer->writes) {
    end(server, connection, now_ns);
    return 0;
  }
  write_token(server, connection, answer, now_ns);
  if (connection->fd < 0) return 0; /* no memory for what the socket did not take */
  connection->due_ns += answer->gaps_ns[(connection->position + (uint32_t)number) & answer->gaps_mask];
  if (answer->stalls_count) connection->due_ns += stall_before(answer, number + 1);
  return connection->due_ns;
}

void gt_answer_begin(gt_server *server, gt_connection *connection, gt_entry *entry, const gt_head *head,
                     int64_t arrived_ns) {
  const gt_answer *answer = &entry->answer;
  gt_row *row = gt_truth_begin(&server->truth, arrived_ns);
  if (row == NULL) {
    gt_connection_close(server, connection);
    return;
  }
  gt_head_trace(head, row->trace);
  connection->row = server->truth.count - 1;
  connection->position = position_of(row, connection->row);
  connection->entry = gt_entry_hold(entry);
  connection->written = 0;
  connection->due_ns = arrived_ns + answer->first_ns[connection->position & answer->first_mask];
  row->first_due_ns = connection->due_ns;
  row->status = answer->status;
  server->settings.counts[GT_RUNNING]++;
  int64_t now_ns = tg_now_ns();
  if (answer->writes == 1 && connection->due_ns <= now_ns)
    gt_answer_write(server, connection, now_ns);
  else if (!gt_schedule_add(&server->schedule, connection->due_ns, connection->fd))
    gt_connection_close(server, connection);
}
