/* What is due when: a heap of instants, the earliest first.

   An entry whose connection has gone, or waits for another instant, is not looked for: it is dropped when it comes
   up. So an entry names a descriptor and not a connection, and a heap of four children keeps the walk down short. */
#ifndef GT_SCHEDULE_H
#define GT_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  int64_t due_ns;
  int32_t fd;
} gt_due;

typedef struct {
  gt_due *items;
  uint32_t count, capacity;
} gt_schedule;

/* Add an entry; false when memory is short. */
bool gt_schedule_add(gt_schedule *schedule, int64_t due_ns, int fd);

/* Let the first entry wait for another instant, not before its own. */
void gt_schedule_move_first(gt_schedule *schedule, int64_t due_ns);

void gt_schedule_drop_first(gt_schedule *schedule);

#endif
