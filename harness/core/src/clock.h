/* Clocks, in nanoseconds. */
#ifndef TG_CLOCK_H
#define TG_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t tg_read_clock(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t tg_now_ns(void) { return tg_read_clock(CLOCK_MONOTONIC); }

/* Return wall clock minus monotonic clock, from the tightest of a few bracketed readings. */
static inline int64_t tg_wall_minus_monotonic_ns(void) {
  int64_t best = INT64_MAX, offset = 0;
  for (int i = 0; i < 4; i++) {
    int64_t before = tg_now_ns(), wall = tg_read_clock(CLOCK_REALTIME), after = tg_now_ns();
    if (after - before < best) {
      best = after - before;
      offset = wall - (before + (after - before) / 2);
    }
  }
  return offset;
}

#endif
