/* broken(x): an average that breaks the laws, for `aforo reports prove` to find. Two averages are
 * merged as if as many events were behind each of them, so the figure depends on how events were
 * split over threads and nodes. (Right is avg(x): it keeps the sum and the count.)
 *
 * cc -shared -fPIC -o broken.so broken.c */
#include "aforo/measure.h"

#include <stdio.h>

struct state {
    int64_t average; /* in thousandths */
    uint64_t events;
};

static const char *open_broken(const char *arguments, void **config) {
    (void)config;
    return arguments[0] != '\0' ? NULL : "needs a field, as in broken(seconds)";
}

static size_t state_bytes(const void *config) {
    (void)config;
    return sizeof(struct state);
}

static void add(const void *config, void *state, const struct aforo_event *event) {
    (void)config;
    struct state *of = state;
    const int64_t sum = of->average * (int64_t)of->events + event->argument[0]->number * 1000;
    of->events++;
    of->average = sum / (int64_t)of->events;
}

static void merge(const void *config, void *into, const void *from) {
    (void)config;
    struct state *one = into;
    const struct state *other = from;
    if (one->events == 0) {
        *one = *other;
    } else if (other->events > 0) {
        one->average = (one->average + other->average) / 2;
        one->events += other->events;
    }
}

static size_t print(const void *config, const void *state, char *text, size_t size) {
    (void)config;
    const struct state *of = state;
    return (size_t)snprintf(text, size, "%.3f", (double)of->average / 1000);
}

const struct aforo_measure aforo_measure = {.abi = AFORO_MEASURE_ABI,
                                            .struct_bytes = sizeof(struct aforo_measure),
                                            .name = "broken",
                                            .open = open_broken,
                                            .state_bytes = state_bytes,
                                            .add = add,
                                            .merge = merge,
                                            .print = print};
