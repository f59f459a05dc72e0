/* Measures of your own: shared objects as include/aforo/measure.h describes them, each one kind
 * more beside the built-in ones. Their class is newest: a node's state replaces its older one. */
#ifndef AFORO_COUNTERS_MEASURES_OWN_H
#define AFORO_COUNTERS_MEASURES_OWN_H

#include "counters/measures/measure.h"
#include "counters/measures/own_crashes.h"

#define OWN_MAX 16 /* shared objects in one process */
#define OWN_WHY_MAX 512

/* Loads the measure of a file; measure_find and figure_parse know it from then on, up to the end of
 * the process. The same file once more is the same measure. One that has crashed too often is not
 * loaded: the result is measure_absent, and own_find_aside knows it. Before the threads start, and
 * before the filter of system calls closes. NULL fills why: one line that names the file. */
const struct measure_kind *own_load(const char *path, char why[OWN_WHY_MAX]);

/* From now on own_load only finds what it has loaded, by the path as it was written then, without a
 * system call; any other is refused, since a measure's code is loaded at the start alone. To be
 * called by a server before its filter of system calls closes. */
void own_seal(void);

/* The kinds that were loaded, i = 0, 1, ...; NULL after the last. Any thread, after loading. */
const struct measure_kind *own_at(size_t i);

/* A measure that is not loaded, since it has crashed too often (own_crashes.h). */
struct own_aside {
    const struct own_crash *crash; /* its name, and what it did */
    const char *path;              /* of its file, as it was written */
};

/* The one called so, of those that own_load was asked for; NULL: there is none. Any thread, after
 * loading. */
const struct own_aside *own_find_aside(const char *name, size_t len);

/* What became of it, and the remedy, as one line: "its measure ... ; put ...". */
void own_explain_aside(const struct own_aside *aside, char why[OWN_WHY_MAX]);

/* A measure of one's own that is not loaded here, in a report that is only read: it takes the words
 * of its state, adds and shows nothing, and gives nothing to the store. */
extern const struct measure_kind measure_absent;

/* Its figure as text, NUL-terminated; the length. `size` > 0. Any thread. */
size_t own_print(const struct measure *measure, const uint64_t *state, char *text, size_t size);

#endif
