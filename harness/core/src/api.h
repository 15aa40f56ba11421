/* What Python sees of this library: plain C functions over plain structs, called through ctypes. */
#ifndef TG_API_H
#define TG_API_H

#define TG_API __attribute__((visibility("default")))

#endif
