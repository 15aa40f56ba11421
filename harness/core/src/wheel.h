/* Timeouts for many connections at the price of one timer: a wheel of 20 ms slots.

   A member is asked for its deadline when its slot comes up, so that data which moves the deadline later costs
   nothing. Whoever moves a deadline earlier watches the member again. Deadlines beyond the wheel wait in its last
   slot and are asked again from there. */
#ifndef TG_WHEEL_H
#define TG_WHEEL_H

#include <stdint.h>

#define TG_SLOT_NS 20000000
#define TG_SLOTS 1024

typedef struct tg_timed {
  struct tg_timed *before, *after; /* both NULL while not watched */
  int64_t slot;
} tg_timed;

typedef struct {
  tg_timed slots[TG_SLOTS]; /* heads of rings */
  int64_t next_slot;
} tg_wheel;

void tg_wheel_init(tg_wheel *wheel, int64_t now_ns);

/* Look after `member`; it moves only to an earlier slot. */
void tg_wheel_watch(tg_wheel *wheel, tg_timed *member, int64_t deadline_ns);

/* Forget `member`, if it is watched. */
void tg_wheel_forget(tg_timed *member);

/* Take one member whose slot has passed out of the wheel; NULL when there is none left. */
tg_timed *tg_wheel_next(tg_wheel *wheel, int64_t now_ns);

#endif
