/* Answers without a socket: for tests. */
#ifndef TG_REPLAY_H
#define TG_REPLAY_H

#include <stdint.h>

#include "api.h"
#include "record.h"

/* Read one answer from `reads` pieces of `data` and, with `eof`, the connection's end at `read_ns[reads]`.
   `gaps` takes `gaps_max` of the gaps at most; `error` and `finish_reason` have room for TG_WORD_BYTES + 1 each.
   Returns 0, or -1 when memory is short. */
TG_API int tg_replay(int stream, int keep_gaps, const char *data, const uint32_t *read_lengths, const int64_t *read_ns,
                     uint32_t reads, int eof, tg_record *record, int64_t *gaps, uint32_t gaps_max, char *error,
                     char *finish_reason, int *reusable);

TG_API uint32_t tg_sizeof_exchange(void);
TG_API uint32_t tg_sizeof_record(void);

#endif
