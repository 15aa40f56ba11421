#include "wheel.h"

#include <stddef.h>

void tg_wheel_init(tg_wheel *wheel, int64_t now_ns) {
  wheel->next_slot = now_ns / TG_SLOT_NS;
  for (int i = 0; i < TG_SLOTS; i++) wheel->slots[i].before = wheel->slots[i].after = &wheel->slots[i];
}

void tg_wheel_forget(tg_timed *member) {
  if (!member->before) return;
  member->before->after = member->after;
  member->after->before = member->before;
  member->before = member->after = NULL;
}

void tg_wheel_watch(tg_wheel *wheel, tg_timed *member, int64_t deadline_ns) {
  int64_t slot = deadline_ns / TG_SLOT_NS, last = wheel->next_slot + TG_SLOTS - 1;
  if (slot < wheel->next_slot) slot = wheel->next_slot;
  if (slot > last) slot = last;
  if (member->before && member->slot <= slot) return;
  tg_wheel_forget(member);
  tg_timed *head = &wheel->slots[slot % TG_SLOTS];
  member->slot = slot;
  member->before = head->before;
  member->after = head;
  head->before->after = member;
  head->before = member;
}

tg_timed *tg_wheel_next(tg_wheel *wheel, int64_t now_ns) {
  int64_t current = now_ns / TG_SLOT_NS;
  while (wheel->next_slot < current) {
    tg_timed *head = &wheel->slots[wheel->next_slot % TG_SLOTS];
    if (head->after != head) {
      tg_timed *member = head->after;
      tg_wheel_forget(member);
      return member;
    }
    wheel->next_slot++;
  }
  return NULL;
}
