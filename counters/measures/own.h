/* Measures of your own: shared objects as described in include/aforo/measure.h, each of which adds
 * a kind to the built-in ones. Their class is newest: a node's state replaces its older one. */
#ifndef AFORO_COUNTERS_MEASURES_OWN_H
#define AFORO_COUNTERS_MEASURES_OWN_H

#include "counters/measures/measure.h"
#include "counters/measures/own_crashes.h"

#define OWN_MAX 16 /* shared objects in one process */
#define OWN_WHY_MAX 512

/* Loads the measure of a shared object; measure_find and figure_parse know it until the process
 * ends. Loading the same file again returns the same measure. A measure that has crashed too often
 * is not loaded: the result is measure_absent, and own_find_aside finds it. To be called before the
 * threads start and before the filter of system calls closes. NULL fills `why`: one line that names
 * the file. */
const struct measure_kind *own_load(const char *path, char why[OWN_WHY_MAX]);

/* From now on own_load only finds what it has already loaded, by the path as it was written then
 * and without a system call. Any other path is refused: a measure's code is loaded at the start
 * only. A server calls this before its filter of system calls closes. */
void own_seal(void);

/* The kinds that were loaded, in turn: i = 0, 1, ...; NULL after the last. Any thread, after
 * loading. */
const struct measure_kind *own_at(size_t i);

/* A measure that was not loaded because it has crashed too often (own_crashes.h). */
struct own_aside {
    const struct own_crash *crash; /* its name, and what it did */
    const char *path;              /* of its file, as it was given */
};

/* The measure of that name that own_load was asked for but set aside; NULL when there is none. Any
 * thread, after loading. */
const struct own_aside *own_find_aside(const char *name, size_t len);

/* Writes what happened to it and the remedy as one line: "its measure ... ; put ...". */
void own_explain_aside(const struct own_aside *aside, char why[OWN_WHY_MAX]);

/* Stands for a loaded measure that is not loaded here, in a report that is only read: it occupies
 * the words of the state, adds and shows nothing, and sends nothing to the store. */
extern const struct measure_kind measure_absent;

/* Writes the measure's figure as text, NUL-terminated, and returns the length. `size` > 0. Any
 * thread. */
size_t own_print(const struct measure *measure, const uint64_t *state, char *text, size_t size);

#endif
