/* A histogram of durations: the counting half of harness.measure.histogram.LogHistogram, bucket for bucket. */
#ifndef TG_HISTOGRAM_H
#define TG_HISTOGRAM_H

#include <stdint.h>

#define TG_BUCKETS 3712 /* 64 buckets in every power of two; 63 bits of nanoseconds */

typedef struct {
  uint64_t counts[TG_BUCKETS];
  uint64_t count;
  int64_t max_ns;
} tg_histogram;

static inline void tg_histogram_add_many(tg_histogram *histogram, int64_t value_ns, uint64_t times) {
  if (value_ns < 0) value_ns = 0;
  if (value_ns > histogram->max_ns) histogram->max_ns = value_ns;
  int shift = value_ns < 128 ? 0 : 57 - __builtin_clzll((uint64_t)value_ns);
  histogram->counts[((int64_t)shift << 6) + (value_ns >> shift)] += times;
  histogram->count += times;
}

static inline void tg_histogram_add(tg_histogram *histogram, int64_t value_ns) {
  tg_histogram_add_many(histogram, value_ns, 1);
}

#endif
