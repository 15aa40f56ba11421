/* One request: found whole, read, and given its answer. */
#define _GNU_SOURCE
#include <string.h>

#include "server_state.h"

#define HEAD_END "\r\n\r\n"
#define HEAD_END_BYTES 4

static void reply(gt_server *server, gt_connection *connection, const gt_text *data) {
  if (data->bytes == NULL) /* Python could not make one */
    gt_connection_close(server, connection);
  else
    gt_connection_send(server, connection, *data);
}

static void refuse(gt_server *server, gt_connection *connection, gt_refusal refusal, gt_text detail) {
  gt_text data = {0};
  server->settings.counts[GT_REFUSED]++;
  if (refusal != GT_NO_SUCH_PATH) connection->closes = true; /* where the next request begins is not certain */
  server->callbacks.refuse(refusal, &detail, &data);
  reply(server, connection, &data);
}

static gt_text text_of(const char *words) { return (gt_text){words, words ? strlen(words) : 0}; }

static bool is_path(const gt_head *head, const char *path) {
  return head->path.length == strlen(path) && memcmp(head->path.bytes, path, head->path.length) == 0;
}

static bool answer_page(gt_server *server, gt_connection *connection, const gt_head *head) {
  gt_text data = {0};
  if (!head->get) return false;
  server->callbacks.page(&head->path, &data);
  if (data.bytes == NULL) return false;
  reply(server, connection, &data);
  return true;
}

static gt_entry *render(gt_server *server, gt_connection *connection, const gt_ask *ask) {
  gt_answer answer = {0};
  gt_text data = {0};
  int64_t number = server->callbacks.answer(ask, &answer, &data);
  if (number > 0) return gt_table_add(&server->table, ask, &answer, number);
  server->settings.counts[GT_REFUSED]++;
  connection->closes = true;
  reply(server, connection, &data);
  return NULL;
}

static void answer(gt_server *server, gt_connection *connection, const gt_head *head, const gt_ask *ask,
                   int64_t arrived_ns) {
  gt_entry *entry = gt_table_find(&server->table, ask);
  if (entry == NULL) entry = render(server, connection, ask);
  if (entry != NULL)
    gt_answer_begin(server, connection, entry, head, arrived_ns);
  else if (!connection->closes)
    gt_connection_close(server, connection); /* no memory */
}

static void take_whole(gt_server *server, gt_connection *connection, const gt_head *head, const char *body,
                       int64_t arrived_ns) {
  gt_ask ask = {.completions = is_path(head, "/v1/completions")};
  connection->closes = head->closes;
  if (answer_page(server, connection, head)) return;
  if (!ask.completions && !is_path(head, "/v1/chat/completions"))
    refuse(server, connection, GT_NO_SUCH_PATH, head->path);
  else if (!head->post)
    refuse(server, connection, GT_NOT_POSTED, text_of(""));
  else if (!gt_ask_read(&server->reader, &ask, head, body, head->body_bytes))
    refuse(server, connection, GT_BAD_BODY, text_of(server->reader.problem));
  else
    answer(server, connection, head, &ask, arrived_ns);
}

size_t gt_request_take(gt_server *server, gt_connection *connection, const char *data, size_t length,
                       int64_t arrived_ns) {
  gt_head head = {0};
  const char *end = memmem(data, length, HEAD_END, HEAD_END_BYTES);
  size_t head_bytes = end == NULL ? length : (size_t)(end - data) + HEAD_END_BYTES;
  gt_refusal refusal = GT_TAKEN;
  if (head_bytes > GT_HEAD_BYTES_MAX + HEAD_END_BYTES)
    refusal = GT_HEAD_TOO_LONG;
  else if (end == NULL)
    return 0;
  else
    refusal = gt_head_read(&head, data, head_bytes);
  if (refusal != GT_TAKEN) {
    refuse(server, connection, refusal, text_of(head.problem));
    return length; /* none of the rest can be a request */
  }
  if (length - head_bytes < head.body_bytes) return 0;
  take_whole(server, connection, &head, data + head_bytes, arrived_ns);
  return head_bytes + head.body_bytes;
}
