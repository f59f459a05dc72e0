/* A measure that cannot be loaded, or not be opened, for the reason that is defined; or one whose
 * state is no whole number of words. */
#include "include/aforo/measure.h"

#include <stdio.h>

#ifdef BAD_NONE
const int aforo_measures = 1; /* nearly */
#else

static const char *open_bad(const char *arguments, void **config) {
    (void)config;
    return arguments[0] == '\0' ? "it has no arguments" : NULL;
}

static size_t state_bytes(const void *config) {
    (void)config;
#ifdef BAD_ODD
    return 9;
#else
    return AFORO_STATE_MAX + 1;
#endif
}

#ifndef BAD_FUNCTIONS
static void add(const void *config, void *state, const struct aforo_event *event) {
    (void)config, (void)event;
#ifdef BAD_ODD
    ((unsigned char *)state)[8] = 1;
#else
    (void)state;
#endif
}
#endif

static void merge(const void *config, void *into, const void *from) {
    (void)config, (void)into, (void)from;
}

static size_t print(const void *config, const void *state, char *text, size_t size) {
    (void)config, (void)state;
    return (size_t)snprintf(text, size, "bad");
}

const struct aforo_measure aforo_measure = {
#ifdef BAD_ABI
    .abi = AFORO_MEASURE_ABI + 1,
#else
    .abi = AFORO_MEASURE_ABI,
#endif
    .struct_bytes = sizeof(struct aforo_measure),
#if defined(BAD_NAME)
    .name = "Bad name",
#elif defined(BAD_TAKEN)
    .name = "p99",
#else
    .name = "bad",
#endif
    .open = open_bad,
    .state_bytes = state_bytes,
#ifndef BAD_FUNCTIONS
    .add = add,
#endif
    .merge = merge,
    .print = print};
#endif
