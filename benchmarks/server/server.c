/* A server that is never the bottleneck: short answers at once, or streams with a fixed gap, on one core.

   usage: server PORT GAP_MICROSECONDS TOKENS
   A POST whose body holds "stream":true (with or without a space) gets TOKENS events, the first after one gap and
   one more every gap; any other POST gets a whole answer at once; a GET gets the list of models. The first line of
   output says "ready". It ends by itself when its standard input is closed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_BYTES 4096
#define BATCH 512

typedef struct {
  int fd, left; /* tokens still to come; -1: no stream */
  int64_t due_ns;
  uint32_t heap; /* place in the heap, 1-based; 0: not in it */
  uint32_t got;  /* bytes of an incomplete request */
  char *partial;
} connection;

static int64_t gap_ns;
static int tokens, epoll_fd;
static char token_event[512], end_events[1024], whole_answer[1024], models[512];
static size_t token_bytes, end_bytes, whole_bytes, models_bytes;
static const char stream_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The streams by the time of their next token: a binary heap. */

static connection **heap;
static uint32_t heap_count, heap_capacity;

static void place(connection *c, uint32_t at) {
  heap[at] = c;
  c->heap = at;
}

static void sift_up(connection *c, uint32_t at) {
  for (; at > 1 && heap[at / 2]->due_ns > c->due_ns; at /= 2) place(heap[at / 2], at);
  place(c, at);
}

static void sift_down(connection *c, uint32_t at) {
  for (uint32_t child; (child = 2 * at) <= heap_count; at = child) {
    if (child < heap_count && heap[child + 1]->due_ns < heap[child]->due_ns) child++;
    if (heap[child]->due_ns >= c->due_ns) break;
    place(heap[child], at);
  }
  place(c, at);
}

static void heap_add(connection *c) {
  if (heap_count + 2 > heap_capacity) heap = realloc(heap, (heap_capacity = heap_capacity * 2 + 1024) * sizeof *heap);
  sift_up(c, ++heap_count);
}

static void heap_remove(connection *c) {
  if (!c->heap) return;
  connection *last = heap[heap_count--];
  uint32_t at = c->heap;
  c->heap = 0;
  if (last == c) return;
  sift_up(last, at);
  sift_down(last, last->heap);
}

/* Answers. */

static void drop(connection *c) {
  heap_remove(c);
  close(c->fd);
  free(c->partial);
  free(c);
}

/* Buffers are never full here: a reader that does not read loses its connection. */
static int say(connection *c, const char *data, size_t bytes) {
  if (send(c->fd, data, bytes, MSG_NOSIGNAL) == (ssize_t)bytes) return 1;
  drop(c);
  return 0;
}

static void next_token(connection *c) {
  c->due_ns += gap_ns;
  if (--c->left > 0) {
    sift_down(c, c->heap);
    say(c, token_event, token_bytes);
  } else {
    heap_remove(c);
    say(c, end_events, end_bytes);
  }
}

static int answer(connection *c, const char *request, const char *body) {
  if (request[0] == 'G') return say(c, models, models_bytes);
  if (!strstr(body, "\"stream\":true") && !strstr(body, "\"stream\": true")) return say(c, whole_answer, whole_bytes);
  c->left = tokens;
  c->due_ns = now_ns() + gap_ns;
  if (!say(c, stream_head, sizeof stream_head - 1)) return 0;
  heap_add(c);
  return 1;
}

/* Return the bytes of the whole request at `data`, or 0 while it is incomplete. */
static size_t request_bytes(const char *data, size_t bytes, const char **body) {
  const char *end = memmem(data, bytes, "\r\n\r\n", 4);
  if (!end) return 0;
  const char *length = memmem(data, (size_t)(end - data), "ontent-", 7);
  while (length && strncasecmp(length, "ontent-length:", 14))
    length = memmem(length + 1, (size_t)(end - length - 1), "ontent-", 7);
  size_t total = (size_t)(end + 4 - data) + (length ? (size_t)atol(length + 14) : 0);
  *body = end + 4;
  return total <= bytes ? total : 0;
}

static void on_readable(connection *c) {
  static char data[65536];
  if (c->got) memcpy(data, c->partial, c->got);
  ssize_t got = recv(c->fd, data + c->got, sizeof data - 1 - c->got, 0);
  if (got <= 0) {
    if (got == 0 || errno != EAGAIN) drop(c);
    return;
  }
  size_t bytes = c->got + (size_t)got;
  data[bytes] = 0;
  const char *body;
  if (request_bytes(data, bytes, &body)) {
    c->got = 0;
    answer(c, data, body);
  } else if (bytes < sizeof data - 1) {
    c->partial = realloc(c->partial, bytes);
    memcpy(c->partial, data, bytes);
    c->got = (uint32_t)bytes;
  } else {
    drop(c);
  }
}

static void watch(int fd, void *what) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int listener) {
  for (int fd, on = 1; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection *c = calloc(1, sizeof *c);
    c->fd = fd;
    watch(fd, c);
  }
}

static size_t chunked(char *to, const char *event) {
  return (size_t)sprintf(to, "%zx\r\n%s\r\n", strlen(event), event);
}

static void write_answers(void) {
  char event[400];
  const char *common = "\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\"";
  sprintf(event, "data: {%s,\"choices\":[{\"index\":0,\"delta\":{\"content\":\" tok\"},\"logprobs\":null,"
                 "\"finish_reason\":null}]}\n\n", common);
  token_bytes = chunked(token_event, event);
  memcpy(end_events, token_event, token_bytes);
  end_bytes = token_bytes;
  sprintf(event, "data: {%s,\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n", common);
  end_bytes += chunked(end_events + end_bytes, event);
  sprintf(event, "data: {%s,\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\n",
          common, tokens, tokens + 8);
  end_bytes += chunked(end_events + end_bytes, event);
  end_bytes += chunked(end_events + end_bytes, "data: [DONE]\n\n");
  end_bytes += (size_t)sprintf(end_events + end_bytes, "0\r\n\r\n");
  const char *json = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s";
  const char *whole = "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"m\","
                      "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\" tok\"},"
                      "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":1,"
                      "\"total_tokens\":9}}";
  const char *list = "{\"object\":\"list\",\"data\":[{\"id\":\"m\",\"object\":\"model\",\"created\":1,\"owned_by\":\"x\"}]}";
  whole_bytes = (size_t)sprintf(whole_answer, json, strlen(whole), whole);
  models_bytes = (size_t)sprintf(models, json, strlen(list), list);
}

static int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) {
    perror("server");
    exit(1);
  }
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  gap_ns = atoll(argv[2]) * 1000;
  tokens = atoi(argv[3]);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  prctl(PR_SET_TIMERSLACK, 1UL);
  write_answers();
  int listener = listen_on(atoi(argv[1]));
  epoll_fd = epoll_create1(0);
  watch(listener, &listener);
  watch(0, NULL);
  puts("ready");
  fflush(stdout);
  struct epoll_event events[BATCH];
  for (;;) {
    int64_t wait_ns = heap_count ? heap[1]->due_ns - now_ns() : 1000000000;
    if (wait_ns < 0) wait_ns = 0;
    struct timespec timeout = {wait_ns / 1000000000, wait_ns % 1000000000};
    long count = syscall(SYS_epoll_pwait2, epoll_fd, events, BATCH, &timeout, NULL, 0);
    for (long i = 0; i < count; i++) {
      if (!events[i].data.ptr) return 0;
      if (events[i].data.ptr == &listener)
        accept_all(listener);
      else
        on_readable(events[i].data.ptr);
    }
    int64_t now = now_ns();
    for (int written = 0; written < BATCH && heap_count && heap[1]->due_ns <= now; written++) next_token(heap[1]);
  }
}
