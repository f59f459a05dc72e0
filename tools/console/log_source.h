/* An event log as a source of rows. It is counted again, stretch by stretch, each into a temporary
 * state that is read like --state and removed when the next is made. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_LOG_SOURCE_H
#define AFORO_TOOLS_CONSOLE_LOG_SOURCE_H

#include "replay/replay.h"
#include "tools/console/source.h"

struct log_source_config {
    const char *const *dir; /* [dirs] */
    unsigned dirs;
    const char *node;       /* NULL: all */
    int64_t from_us, to_us; /* INT64_MIN, INT64_MAX: no bounds */
    bool late;              /* also count what was refused as too late */
    unsigned threads;       /* 0: one per core */
    const char *reports;    /* file of definitions; NULL: only the counts */
};

struct log_source;

/* Opens the log; log_source_close frees. NULL fills why; *usage is set if the error is a mistake in
 * the definitions. */
struct log_source *log_source_open(const struct log_source_config *config, bool *usage,
                                   char why[SOURCE_WHY_MAX]);

/* Closes the source and removes its temporary files, also after a signal. */
void log_source_close(struct log_source *log);

/* The number of stretches, which are in ascending order; those without events are left out. */
size_t log_source_stretches(const struct log_source *log);
const struct replay_stretch *log_source_stretch(const struct log_source *log, size_t i);

/* The definitions in use; NULL: none. */
const struct definitions *log_source_definitions(const struct log_source *log);

/* Counts stretch i and returns it as a source, which belongs to the log and is valid until the next
 * call. NULL fills why. */
struct source *log_source_read(struct log_source *log, size_t i, char why[SOURCE_WHY_MAX]);

/* Counts the whole log into one permanent state directory, with which a server of that node may
 * continue. horizon_us 0: as long as the events span. False fills why. */
bool log_source_count_into(struct log_source *log, const char *dir, int64_t horizon_us,
                           char why[SOURCE_WHY_MAX]);

/* The totals of everything counted so far. */
const struct replay_tally *log_source_tally(const struct log_source *log);

/* Prints which reports have events in `(other)`, and what would give their keys room. `only`: of
 * one of the definitions; NULL: of all. */
void log_source_tell_other(const struct log_source *log, const struct report *only);

/* Prints what was damaged or could not be read; false if there was any. */
bool log_source_is_whole(const struct log_source *log);

#endif
