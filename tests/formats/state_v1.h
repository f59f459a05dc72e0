/* What state_v1.aforo holds: a state file of format version 1, closed in order, of the smallest
 * geometry there is (horizon 1 s, no future, every ring kept for 1 s: 7 places each), one worker,
 * node "fixture". Made by make_state. A file of every format that was ever released is kept here,
 * and opened by tests/unit/counters/state/test_state_file.c. */
#ifndef AFORO_TESTS_FORMATS_STATE_V1_H
#define AFORO_TESTS_FORMATS_STATE_V1_H

#include <stdint.h>

struct state_v1_event {
    int64_t us;
    unsigned worker;
    unsigned times;
};

/* In order; each is the newest when it is counted. */
static const struct state_v1_event state_v1_events[] = {
    {INT64_C(1464433871000000), 0, 3},  /* 2016-05-28 11:11:11.000, a window's first microsecond */
    {INT64_C(1464433871009999), 0, 4},  /* its last */
    {INT64_C(1464433871010000), 0, 5},  /* the next window's first */
    {INT64_C(1464433872990000), 0, 11}, /* the last window of a second */
    {INT64_C(1464433874500000), 0, 300}, {INT64_C(1464433875123456), 0, 1},
};

#endif
