/* Tests whether a measure keeps the laws that counting relies on: the order of events, how they
 * were spread over threads and nodes, and how their states were merged must not affect the result.
 * It tries random events, so a measure that passes may still be wrong, but one that fails is. */
#ifndef AFORO_COUNTERS_MEASURES_PROVE_H
#define AFORO_COUNTERS_MEASURES_PROVE_H

#include "counters/measures/measure.h"

#define PROVE_WHY_MAX 1024
#define PROVE_ARGUMENTS_MAX 4 /* fields of a random event */
#define PROVE_EVENTS_MAX 32   /* in one trial */

struct prove_trials {
    uint64_t seed;
    unsigned rounds; /* 10,000 take about a second */
};

/* Tests an open measure. Its `arguments` say how many fields an event has; their names are reported
 * when `argument_name` is set. False fills `why` with one line: the law and the smallest events
 * that break it. Any thread; it allocates. */
bool measure_prove(const struct measure *measure, const struct prove_trials *trials,
                   char why[PROVE_WHY_MAX]);

#endif
