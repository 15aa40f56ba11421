#include "schedule.h"

#include <stdlib.h>

#define CHILDREN 4
#define FIRST_ITEMS 256

static bool grow(gt_schedule *schedule) {
  if (schedule->capacity > UINT32_MAX / 2) return false;
  uint32_t capacity = schedule->capacity ? 2 * schedule->capacity : FIRST_ITEMS;
  gt_due *items = realloc(schedule->items, capacity * sizeof *items);
  if (items == NULL) return false;
  schedule->items = items;
  schedule->capacity = capacity;
  return true;
}

bool gt_schedule_add(gt_schedule *schedule, int64_t due_ns, int fd) {
  if (schedule->count == schedule->capacity && !grow(schedule)) return false;
  gt_due *items = schedule->items;
  uint32_t at = schedule->count++;
  for (uint32_t parent; at > 0 && items[parent = (at - 1) / CHILDREN].due_ns > due_ns; at = parent)
    items[at] = items[parent];
  items[at] = (gt_due){due_ns, fd};
  return true;
}

static uint32_t earliest_child(const gt_schedule *schedule, uint32_t at) {
  uint64_t child = (uint64_t)CHILDREN * at + 1, end = child + CHILDREN;
  if (end > schedule->count) end = schedule->count;
  uint64_t earliest = child;
  while (++child < end) {
    if (schedule->items[child].due_ns < schedule->items[earliest].due_ns) earliest = child;
  }
  return (uint32_t)earliest;
}

static void put_from_top(gt_schedule *schedule, gt_due due) {
  uint32_t at = 0;
  while ((uint64_t)CHILDREN * at + 1 < schedule->count) {
    uint32_t child = earliest_child(schedule, at);
    if (schedule->items[child].due_ns >= due.due_ns) break;
    schedule->items[at] = schedule->items[child];
    at = child;
  }
  schedule->items[at] = due;
}

void gt_schedule_move_first(gt_schedule *schedule, int64_t due_ns) {
  put_from_top(schedule, (gt_due){due_ns, schedule->items[0].fd});
}

void gt_schedule_drop_first(gt_schedule *schedule) {
  if (--schedule->count) put_from_top(schedule, schedule->items[schedule->count]);
}
