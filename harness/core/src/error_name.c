#include "error_name.h"

#include <errno.h>
#include <string.h>

#define NAME(code) \
  case code:       \
    return #code

const char *tg_error_name(int code) {
  switch (code) {
    NAME(EACCES);
    NAME(EADDRINUSE);
    NAME(EADDRNOTAVAIL);
    NAME(EAFNOSUPPORT);
    NAME(ECONNABORTED);
    NAME(ECONNREFUSED);
    NAME(ECONNRESET);
    NAME(EHOSTDOWN);
    NAME(EHOSTUNREACH);
    NAME(EINVAL);
    NAME(EMFILE);
    NAME(ENETDOWN);
    NAME(ENETUNREACH);
    NAME(ENFILE);
    NAME(ENOBUFS);
    NAME(ENOMEM);
    NAME(EPERM);
    NAME(EPIPE);
    NAME(EPROTO);
    NAME(ETIMEDOUT);
    default:
      return strerror(code);
  }
}
