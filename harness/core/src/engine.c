/* The engine's life and its loop: what is due goes out, what has come in is read, and every 10 ms the rest. */
#define _GNU_SOURCE /* unshare */
#include "engine.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "engine_state.h"
#include "receive.h"

#define TICK_NS 10000000
#define BATCH 256
#define SPIN_NS 20000 /* to sleep and be woken costs about as much as to look again for so long */
#define BUSY 300       /* so many sends and reads in a tick, and they are done by the handful */
#define REST_NS 100000 /* how late they may be for that */
#define SENDS_IN_A_ROW 32  /* of a thousand arrivals due at once, the first's answers are read before the last goes */
#define EVENTS_IN_A_ROW 16 /* so many reads may hold up what has become due meanwhile */
#define TURN_NS 100000 /* the shortest that Linux grants */

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* Making and freeing. */

static void to_sockaddr(const tg_address *from, struct sockaddr_storage *to) {
  memset(to, 0, sizeof *to);
  to->ss_family = from->family;
  if (from->family == AF_INET6) {
    struct sockaddr_in6 *address = (struct sockaddr_in6 *)to;
    memcpy(&address->sin6_addr, from->bytes, 16);
    address->sin6_port = htons(from->port);
    address->sin6_scope_id = from->scope;
  } else {
    struct sockaddr_in *address = (struct sockaddr_in *)to;
    memcpy(&address->sin_addr, from->bytes, 4);
    address->sin_port = htons(from->port);
  }
}

static struct sockaddr_storage *to_sockaddrs(const tg_address *from, uint32_t count) {
  struct sockaddr_storage *all = calloc(count ? count : 1, sizeof *all);
  for (uint32_t i = 0; all && i < count; i++) to_sockaddr(&from[i], &all[i]);
  return all;
}

static int keep_stamping(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) tg_ask_for_stamps(fd);
  return fd;
}

tg_engine *tg_engine_new(const tg_settings *settings, const tg_address *targets, uint32_t targets_count,
                         const tg_address *sources, uint32_t sources_count, const char *head,
                         uint32_t head_length) {
  tg_engine *engine = calloc(1, sizeof *engine);
  if (!engine) return NULL;
  engine->settings = *settings;
  engine->targets = to_sockaddrs(targets, targets_count);
  engine->sources = to_sockaddrs(sources, sources_count);
  engine->targets_count = targets_count > 255 ? 255 : targets_count;
  engine->sources_count = sources_count;
  engine->head = malloc(head_length + 1);
  engine->head_length = head_length;
  engine->itl = calloc(settings->stages, sizeof *engine->itl);
  engine->shared = (tg_exchange_shared){.words = tg_words_new(), .keep_gaps = settings->keep_gaps};
  engine->busy.next = engine->busy.previous = &engine->busy;
  engine->epoll = engine->stamp_keeper = -1;
  pthread_mutex_init(&engine->lock, NULL);
  if (!engine->targets || !engine->sources || !engine->head || !engine->itl || !engine->shared.words) {
    tg_engine_free(engine);
    return NULL;
  }
  memcpy(engine->head, head, head_length);
  return engine;
}

static void drop_bodies(tg_queue *queue) {
  for (; queue->next < queue->count; queue->next++) tg_body_drop(queue->items[queue->next].body);
  free(queue->items);
}

void tg_engine_free(tg_engine *engine) {
  drop_bodies(&engine->fed);
  drop_bodies(&engine->queue);
  while (engine->slabs) {
    void *next = *(void **)engine->slabs;
    free(engine->slabs);
    engine->slabs = next;
  }
  if (engine->shared.words) tg_words_free(engine->shared.words);
  free(engine->ready.records);
  free(engine->ready.gaps);
  free(engine->taken.records);
  free(engine->taken.gaps);
  free(engine->itl);
  free(engine->head);
  free(engine->sources);
  free(engine->targets);
  pthread_mutex_destroy(&engine->lock);
  free(engine);
}

/* Feeding, from Python's side and ours. */

int tg_engine_feed(tg_engine *engine, const tg_arrival *arrivals, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) tg_body_keep(arrivals[i].body);
  pthread_mutex_lock(&engine->lock);
  tg_queue *fed = &engine->fed;
  if (fed->count + count > fed->capacity) {
    uint64_t wanted = (fed->count + count) * 2;
    tg_arrival *larger = realloc(fed->items, wanted * sizeof *larger);
    if (!larger) {
      pthread_mutex_unlock(&engine->lock);
      for (uint64_t i = 0; i < count; i++) tg_body_drop(arrivals[i].body);
      return ENOMEM;
    }
    fed->items = larger;
    fed->capacity = wanted;
  }
  memcpy(fed->items + fed->count, arrivals, count * sizeof *arrivals);
  fed->count += count;
  pthread_mutex_unlock(&engine->lock);
  return 0;
}

void tg_engine_end_feed(tg_engine *engine) {
  pthread_mutex_lock(&engine->lock);
  engine->feed_ended = true;
  pthread_mutex_unlock(&engine->lock);
}

/* Take over what was fed; false when the feed has ended and nothing is left. */
static bool take_feed(tg_engine *engine) {
  pthread_mutex_lock(&engine->lock);
  tg_queue emptied = engine->queue;
  engine->queue = engine->fed;
  emptied.next = emptied.count = 0;
  engine->fed = emptied;
  bool more = engine->queue.count || !engine->feed_ended;
  pthread_mutex_unlock(&engine->lock);
  return more;
}

/* Sending. */

static void report_unsent(tg_engine *engine, const tg_arrival *arrival, int64_t index, tg_outcome outcome,
                          const char *reason) {
  tg_exchange none;
  tg_exchange_init(&none, &engine->shared, &engine->itl[arrival->stage], arrival->stream);
  tg_exchange_end(&none, outcome, reason);
  tg_record record = {.index = index, .intended_ns = arrival->due_ns, .sent_ns = TG_NONE,
                       .connected_ns = TG_NONE, .end_ns = tg_now_ns(), .stage = arrival->stage};
  tg_exchange_fill(&none, &record);
  tg_exchange_release(&none);
  tg_output_add(engine, &record, NULL);
  tg_body_drop(arrival->body);
}

static void send_one(tg_engine *engine, const tg_arrival *arrival, int64_t now_ns) {
  engine->counters.offered++;
  engine->handled++;
  int64_t index = engine->next_index++;
  if (engine->counters.in_flight >= engine->settings.max_in_flight)
    report_unsent(engine, arrival, index, TG_DROPPED, "max_in_flight");
  else if (!tg_call_begin(engine, arrival, index, now_ns))
    report_unsent(engine, arrival, index, TG_DROPPED, "ENOMEM");
}

/* Send what is due, a turn's worth; returns when to come back. */
static int64_t send_due(tg_engine *engine, int64_t now_ns) {
  for (int sent = 0; sent < SENDS_IN_A_ROW; sent++) {
    tg_queue *queue = &engine->queue;
    if (queue->next == queue->count && !engine->drain_until_ns && !take_feed(engine))
      engine->drain_until_ns = now_ns + engine->settings.drain_ns;
    if (queue->next == queue->count) return engine->next_tick_ns;
    if (queue->items[queue->next].due_ns > now_ns) return queue->items[queue->next].due_ns;
    if (sent && !engine->idle) return now_ns; /* an answer that waits to be read may free a connection */
    send_one(engine, &queue->items[queue->next++], now_ns);
    now_ns = tg_now_ns();
  }
  return now_ns;
}

/* Ending. */

static void cancel_everything(tg_engine *engine) {
  engine->stopping = true;
  while (engine->busy.next != &engine->busy) tg_connection_cancel(engine, engine->busy.next);
  do { /* to the feed's end: what is fed after the stop is recorded as well */
    for (tg_queue *queue = &engine->queue; queue->next < queue->count; queue->next++)
      report_unsent(engine, &queue->items[queue->next], engine->next_index++, TG_CANCELLED,
                    "not sent when the run was stopped");
    if (!engine->queue.count) nanosleep(&(struct timespec){0, TICK_NS / 10}, NULL);
  } while (take_feed(engine));
}

static bool is_over(tg_engine *engine, int64_t now_ns) {
  bool drained = engine->drain_until_ns && (!engine->counters.in_flight || now_ns >= engine->drain_until_ns);
  if (engine->stop_asked || (drained && engine->counters.in_flight)) cancel_everything(engine);
  return engine->stopping || drained;
}

/* The loop. */

static void count_lag(tg_engine *engine, int64_t now_ns) {
  for (; engine->next_tick_ns <= now_ns; engine->next_tick_ns += TICK_NS) /* a pause owes every tick it swallowed */
    tg_histogram_add(&engine->lag, now_ns - engine->next_tick_ns);
}

static void tick(tg_engine *engine, int64_t now_ns) {
  if (now_ns < engine->next_tick_ns) return;
  count_lag(engine, now_ns);
  engine->offset_ns = tg_wall_minus_monotonic_ns();
  engine->is_busy = engine->handled >= BUSY;
  engine->handled = 0;
  for (tg_timed *member; (member = tg_wheel_next(&engine->wheel, now_ns));)
    tg_connection_visit(engine, (tg_connection *)((char *)member - offsetof(tg_connection, timed)), now_ns);
  if (engine->hold_ns) {
    struct timespec pause = {engine->hold_ns / 1000000000, engine->hold_ns % 1000000000};
    engine->hold_ns = 0;
    nanosleep(&pause, NULL);
  }
}

/* Let work gather, deaf to all of it. Woken for each answer and each send, a busy thread spends more on being woken
   and on looking than on the work, and leaves its core to nobody; what has come in meanwhile bears its kernel's stamp. */
static void rest(void) { nanosleep(&(struct timespec){0, REST_NS}, NULL); }

/* Wait for events until an instant: to the nanosecond where the kernel can, else we spin the last millisecond. */
static int wait_until(tg_engine *engine, struct epoll_event *events, int64_t until_ns) {
  if (engine->is_busy && until_ns > tg_now_ns()) rest();
  int64_t left_ns = until_ns - tg_now_ns();
  if (left_ns < SPIN_NS) left_ns = 0;
  struct timespec timeout = {left_ns / 1000000000, left_ns % 1000000000};
  long got = syscall(SYS_epoll_pwait2, engine->epoll, events, BATCH, &timeout, NULL, 0);
  if (got < 0 && errno == ENOSYS) got = epoll_wait(engine->epoll, events, BATCH, (int)(left_ns / 1000000));
  return got < 0 ? 0 : (int)got;
}

static void take_events(tg_engine *engine, const struct epoll_event *events, int count) {
  engine->handled += count;
  for (int i = 0; i < count; i++) {
    tg_connection_event(engine, events[i].data.ptr, events[i].events);
    if (i % EVENTS_IN_A_ROW == EVENTS_IN_A_ROW - 1) send_due(engine, tg_now_ns());
  }
  tg_connections_reuse_freed(engine);
}

static void run(tg_engine *engine) {
  struct epoll_event events[BATCH];
  for (;;) {
    int64_t now_ns = tg_now_ns();
    tick(engine, now_ns);
    int64_t next_ns = send_due(engine, now_ns);
    if (is_over(engine, now_ns)) return;
    if (next_ns > engine->next_tick_ns) next_ns = engine->next_tick_ns;
    take_events(engine, events, wait_until(engine, events, next_ns));
  }
}

/* Ask for short turns, and for precedence where we may: a thread with short turns is let in at once when it wakes,
   even beside one that computes on the same core (Linux 6.12; older kernels ignore the turn's length). */
static void take_precedence(int8_t nice) {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t turn_ns, deadline_ns, period_ns;
  } wish = {.size = sizeof wish, .nice = nice, .turn_ns = TURN_NS};
  if (syscall(SYS_sched_setattr, 0, &wish, 0) == 0) return;
  wish.nice = getpriority(PRIO_PROCESS, 0); /* precedence is for the privileged, short turns are for everybody */
  syscall(SYS_sched_setattr, 0, &wish, 0);
}

static void become_prompt(int8_t nice) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL); /* signals are for the interpreter's thread */
  prctl(PR_SET_NAME, "tidegate-load");
  prctl(PR_SET_TIMERSLACK, 1UL);
  take_precedence(nice);
}

/* Have a table of descriptors of our own: the limit holds for each table, so that a process with several engines
   carries as many times the connections. What the process has open is closed in our copy, or its own closing would
   not be seen by its peers while we run. */
static void own_descriptors(void) {
  if (unshare(CLONE_FILES)) return; /* then we share the process's table, and its limit */
  if (syscall(SYS_close_range, 3U, ~0U, 0U) == 0) return;
  for (int fd = 3; fd < sysconf(_SC_OPEN_MAX); fd++) close(fd);
}

static void *thread_main(void *argument) {
  tg_engine *engine = argument;
  become_prompt(engine->settings.nice);
  own_descriptors();
  int64_t now_ns = tg_now_ns();
  engine->epoll = epoll_create1(EPOLL_CLOEXEC);
  engine->stamp_keeper = keep_stamping();
  engine->offset_ns = tg_wall_minus_monotonic_ns();
  engine->next_tick_ns = now_ns + TICK_NS;
  tg_wheel_init(&engine->wheel, now_ns);
  run(engine);
  while (engine->idle) tg_connection_close(engine, engine->idle);
  close(engine->stamp_keeper);
  close(engine->epoll);
  __atomic_store_n(&engine->counters.finished, 1, __ATOMIC_RELEASE);
  return NULL;
}

int tg_engine_start(tg_engine *engine) { return pthread_create(&engine->thread, NULL, thread_main, engine); }

void tg_engine_stop(tg_engine *engine) { engine->stop_asked = true; }

void tg_engine_join(tg_engine *engine) { pthread_join(engine->thread, NULL); }

void tg_engine_hold(tg_engine *engine, int64_t nanoseconds) { engine->hold_ns = nanoseconds; }

/* Looking. */

const tg_counters *tg_engine_counters(const tg_engine *engine) { return &engine->counters; }

const tg_histogram *tg_engine_itl(const tg_engine *engine, uint32_t stage) { return &engine->itl[stage]; }

const tg_histogram *tg_engine_ttft(const tg_engine *engine) { return &engine->ttft; }

const tg_histogram *tg_engine_lag(const tg_engine *engine) { return &engine->lag; }

const char *tg_engine_word(const tg_engine *engine, uint16_t number) {
  return tg_words_text(engine->shared.words, number);
}

void tg_engine_sizes(uint32_t sizes[6]) {
  const uint32_t all[6] = {sizeof(tg_settings), sizeof(tg_address),  sizeof(tg_arrival),
                           sizeof(tg_record),   sizeof(tg_counters), sizeof(tg_histogram)};
  memcpy(sizes, all, sizeof all);
}
