/* Whether a measure keeps the laws that everything stands on: the order of events, how they were
 * spread over threads and nodes, and how their states were merged must never show. Tried with
 * random events, so a measure that passes may still be wrong; one that fails is. */
#ifndef AFORO_COUNTERS_MEASURES_PROVE_H
#define AFORO_COUNTERS_MEASURES_PROVE_H

#include "counters/measures/measure.h"

#define PROVE_WHY_MAX 1024
#define PROVE_ARGUMENTS_MAX 4 /* fields that random events have */
#define PROVE_EVENTS_MAX 32   /* of one trial */

struct prove_trials {
    uint64_t seed;
    unsigned rounds; /* 10,000 take about a second */
};

/* Tries the laws on a measure that is open; its `arguments` say how many fields an event has, their
 * names are told when `argument_name` is set. False fills why: one line, the law and the smallest
 * events that break it. Any thread; it allocates. */
bool measure_prove(const struct measure *measure, const struct prove_trials *trials,
                   char why[PROVE_WHY_MAX]);

#endif
