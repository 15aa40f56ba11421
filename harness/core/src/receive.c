#include "receive.h"

#include <linux/net_tstamp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#ifndef SO_TIMESTAMPING
#define SO_TIMESTAMPING 37
#endif

bool tg_ask_for_stamps(int fd) {
  int flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
  return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags) == 0;
}

static int64_t stamp_of(struct msghdr *message) {
  for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SO_TIMESTAMPING) continue;
    struct timespec stamps[3]; /* software, unused, hardware */
    if (part->cmsg_len < CMSG_LEN(sizeof stamps)) continue;
    memcpy(stamps, CMSG_DATA(part), sizeof stamps);
    return (int64_t)stamps[0].tv_sec * 1000000000 + stamps[0].tv_nsec;
  }
  return 0;
}

ssize_t tg_receive(int fd, char *buffer, size_t size, int64_t *wall_ns) {
  union {
    struct cmsghdr align;
    char bytes[256];
  } control;
  struct iovec piece = {buffer, size};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  ssize_t got = recvmsg(fd, &message, 0);
  *wall_ns = got > 0 ? stamp_of(&message) : 0;
  return got;
}
