/* crashing(x): the sum of x, with a fault for each of a few values; a measure of one's own as
 * nobody wants it. With FIXED, the same without faults, and perhaps by another NAME. */
#include "include/aforo/measure.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef NAME
#define NAME "crashing"
#endif

#ifndef FIXED
static volatile int64_t zero;

/* Uses up the stack, as a recursion that never ends. */
static int64_t recurse(int64_t depth) {
    volatile char room[4096];
    room[0] = (char)depth;
    return depth < 0 ? 0 : recurse(depth + 1) + room[0];
}

static void fault(int64_t value) {
    switch (value) {
    case 1001:
        *(volatile int *)(intptr_t)zero = 1;
        break;
    case 1002:
        abort();
    case 1003:
        zero = value / zero;
        break;
    case 1004:
        zero = recurse(1);
        break;
    case 1005:
        exit(0);
    case 1006:
        __builtin_trap();
    case 1007:
        for (;;) {
            zero = 0;
        }
    default:
        break;
    }
}

/* A fault while it is loaded, where the environment asks for it. */
__attribute__((constructor)) static void crash_at_load(void) {
    if (getenv("CRASH_AT_LOAD")) {
        fault(1002);
    }
}
#endif

/* crashing(x,0) has a fault here. */
static const char *open_crashing(const char *arguments, void **config) {
    (void)config;
#ifndef FIXED
    fault(strchr(arguments, ',') ? 1001 : 0);
#endif
    return arguments[0] != '\0' ? NULL : "needs a field, as in crashing(x)";
}

static size_t state_bytes(const void *config) {
    (void)config;
    return 2 * sizeof(int64_t);
}

static void add(const void *config, void *state, const struct aforo_event *event) {
    (void)config;
    int64_t *sum = state;
#ifndef FIXED
    fault(event->argument[0]->number);
#endif
    sum[0] += event->argument[0]->number;
    sum[1]++;
}

static void merge(const void *config, void *into, const void *from) {
    (void)config;
    int64_t *one = into;
    const int64_t *other = from;
    one[0] += other[0];
    one[1] += other[1];
}

static size_t print(const void *config, const void *state, char *text, size_t size) {
    (void)config;
    const int64_t *sum = state;
    return (size_t)snprintf(text, size, "%lld", (long long)sum[0]);
}

const struct aforo_measure aforo_measure = {.abi = AFORO_MEASURE_ABI,
                                            .struct_bytes = sizeof(struct aforo_measure),
                                            .name = NAME,
                                            .open = open_crashing,
                                            .state_bytes = state_bytes,
                                            .add = add,
                                            .merge = merge,
                                            .print = print};
