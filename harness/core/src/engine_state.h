/* The engine from inside: what its files share. Only the engine's thread touches it, but for what `lock` guards. */
#ifndef TG_ENGINE_STATE_H
#define TG_ENGINE_STATE_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>

#include "engine.h"
#include "exchange.h"
#include "wheel.h"

#define TG_RECEIVE_BYTES (64 << 10)

typedef enum { TG_CLOSED, TG_BUSY, TG_IDLE } tg_state;

/* One connection; it carries one request at a time. `next` links the idle stack and the list of the free. */
typedef struct tg_connection {
  tg_exchange exchange;
  tg_timed timed;
  struct tg_connection *next, *previous; /* the list of its state: busy or idle */
  tg_arrival arrival;
  int64_t index;
  int64_t sent_ns;
  int64_t connected_ns;
  int64_t heard_ns;
  int64_t connect_deadline_ns; /* 0 once connected */
  uint32_t written;            /* bytes of the request that have left */
  uint32_t request_bytes;
  int fd;
  uint32_t uses;
  uint8_t state; /* tg_state */
  uint8_t address;
  uint8_t tried;
  uint8_t reconnects;
} tg_connection;


/* A growing array of finished records and their gaps. */
typedef struct {
  tg_record *records;
  int64_t *gaps;
  uint64_t count, capacity, gaps_count, gaps_capacity;
} tg_output;

/* A growing array of arrivals, taken from the front. */
typedef struct {
  tg_arrival *items;
  uint64_t next, count, capacity;
} tg_queue;

struct tg_engine {
  tg_settings settings;
  struct sockaddr_storage *targets;
  struct sockaddr_storage *sources;
  uint32_t targets_count, sources_count, next_source;
  uint8_t good_target;
  char *head;
  uint32_t head_length;

  pthread_t thread;
  pthread_mutex_t lock; /* guards fed, feed_ended and ready */
  tg_queue fed;
  bool feed_ended;
  tg_output ready, taken;
  volatile bool stop_asked;
  volatile int64_t hold_ns;

  int epoll;
  int stamp_keeper; /* a stamping socket that stays open: the kernel stamps only while there is one */
  tg_queue queue;
  int64_t next_index;
  tg_connection *idle, *free_now, *free_later;
  tg_connection busy; /* the head of a ring */
  uint32_t idle_count;
  void *slabs;
  tg_wheel wheel;
  tg_exchange_shared shared;
  tg_histogram *itl;
  tg_histogram ttft, lag;
  int64_t handled; /* sends and reads since the last tick */
  bool is_busy;
  int64_t next_tick_ns, drain_until_ns, offset_ns;
  bool stopping;
  tg_counters counters;
  char buffer[TG_RECEIVE_BYTES];
};

/* connection.c */

/* Send an arrival now, on an idle connection or a new one; false when memory is short. It ends in one record. */
bool tg_call_begin(tg_engine *engine, const tg_arrival *arrival, int64_t index, int64_t now_ns);
void tg_connection_event(tg_engine *engine, tg_connection *connection, uint32_t events);
void tg_connection_visit(tg_engine *engine, tg_connection *connection, int64_t now_ns);
void tg_connection_cancel(tg_engine *engine, tg_connection *connection);
void tg_connection_close(tg_engine *engine, tg_connection *connection);
void tg_connections_reuse_freed(tg_engine *engine);

/* request.c */

/* Send what has not left yet of the connection's request; returns 0, EAGAIN or the error. */
int tg_request_write(tg_engine *engine, tg_connection *connection);

/* output.c */

/* Append a record, with the gaps of its exchange when it has any. */
void tg_output_add(tg_engine *engine, const tg_record *record, const int64_t *gaps);

#endif
