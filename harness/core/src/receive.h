/* Reads that tell when the bytes reached this machine, not when we came round to them. */
#ifndef TG_RECEIVE_H
#define TG_RECEIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Ask the kernel to stamp what a socket receives (SO_TIMESTAMPING, software); false where it cannot. */
bool tg_ask_for_stamps(int fd);

/* Read once. `wall_ns` becomes the arrival, on the wall clock, of the last segment read, or 0 where the kernel
   gave none (it may leave out a connection's first). Errors as recv(2). */
ssize_t tg_receive(int fd, char *buffer, size_t size, int64_t *wall_ns);

#endif
