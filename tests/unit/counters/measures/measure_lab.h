/* A measure alone: states in plain memory, an undo record beside them, random events. */
#ifndef AFORO_TESTS_MEASURE_LAB_H
#define AFORO_TESTS_MEASURE_LAB_H

#include "counters/measures/figure.h"
#include "counters/measures/measure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAB_FIELDS 3
#define LAB_TEXT_MAX 80
#define LAB_COMPONENTS_MAX 2048

/* An event with the bytes of its own; event.argument points into it. */
struct lab_event {
    struct aforo_event event;
    struct aforo_value value[LAB_FIELDS];
    const struct aforo_value *argument[LAB_FIELDS];
    char text[LAB_FIELDS][LAB_TEXT_MAX];
};

/* A state that events can be added to. */
struct lab_state {
    const struct measure *measure;
    uint64_t *words;
    size_t puts; /* words that the last add noted */
};

/* Opens the measure of a text, "sum(x)"; ends the test when it cannot. */
void lab_open(struct measure *measure, const char *text);
void lab_close(struct measure *measure);

struct lab_state lab_state_new(const struct measure *measure);
void lab_state_free(struct lab_state *state);
void lab_state_copy(struct lab_state *to, const struct lab_state *from);

/* Adds when it fits, and demands that the undo record takes it back; false when it does not fit. */
bool lab_add(struct lab_state *state, const struct aforo_event *event);
/* Adds an event that fits, for millions of them. */
void lab_add_unchecked(struct lab_state *state, const struct aforo_event *event);
void lab_merge(struct lab_state *into, const struct lab_state *from);

/* Events of one field: a number, a text. */
void lab_number(struct lab_event *event, int64_t us, int64_t number);
void lab_text(struct lab_event *event, int64_t us, const char *text, size_t len);
/* An event of the fields a, b, c, of which each is there or not, as the bits of `random` say. */
void lab_fields(struct lab_event *event, int64_t us, uint64_t random);

/* The next of a sequence of random numbers. */
uint64_t lab_random(uint64_t *seed);

/* A state as it is published, and back: components with bytes of their own. */
struct lab_components {
    size_t n;
    struct component component[LAB_COMPONENTS_MAX];
    char name[LAB_COMPONENTS_MAX][MEASURE_COMPONENT_MAX];
};

struct lab_components *lab_emit(const struct lab_state *state);
void lab_components_free(struct lab_components *components);
bool lab_components_equal(const struct lab_components *a, const struct lab_components *b);
/* The component called so, or NULL. */
const struct component *lab_find(const struct lab_components *components, const char *name);

/* Both, merged into nothing, are word for word the same. */
bool lab_equal(const struct lab_state *a, const struct lab_state *b);

/* The value of a figure of one state beside a count; `decimals` of its field. Items of a list are
 * there up to the next call. */
void lab_figure(const char *text, const struct lab_state *state, uint64_t count, unsigned decimals,
                struct figure_value *value);

#endif
