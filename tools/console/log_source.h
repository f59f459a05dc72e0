/* A kept log as a source of rows: counted again, stretch by stretch, each into a state of its own
 * that is read as --state is, and gone with the next. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_LOG_SOURCE_H
#define AFORO_TOOLS_CONSOLE_LOG_SOURCE_H

#include "replay/replay.h"
#include "tools/console/source.h"

struct log_source_config {
    const char *const *dir; /* [dirs] */
    unsigned dirs;
    const char *node;       /* NULL: all */
    int64_t from_us, to_us; /* INT64_MIN, INT64_MAX: no bounds */
    bool late;              /* also what was refused as too late */
    unsigned threads;       /* 0: one a core */
    const char *reports;    /* file of definitions; NULL: the counts alone */
};

struct log_source;

/* NULL fills why; *usage is set when it is a mistake in the definitions. */
struct log_source *log_source_open(const struct log_source_config *config, bool *usage,
                                   char why[SOURCE_WHY_MAX]);

/* Also after it was stopped by a signal; nothing is left behind. */
void log_source_close(struct log_source *log);

/* Ascending; stretches without events are not among them. */
size_t log_source_stretches(const struct log_source *log);
const struct replay_stretch *log_source_stretch(const struct log_source *log, size_t i);

/* Those of the definitions; NULL: none. */
const struct definitions *log_source_definitions(const struct log_source *log);

/* Counts stretch i; what was read before is gone. The source is the log's. NULL fills why. */
struct source *log_source_read(struct log_source *log, size_t i, char why[SOURCE_WHY_MAX]);

/* Counts all of the log into one state directory, which stays, and which a server of that node may
 * go on with. horizon_us 0: as long as the events. False fills why. */
bool log_source_count_into(struct log_source *log, const char *dir, int64_t horizon_us,
                           char why[SOURCE_WHY_MAX]);

/* Of all that was counted so far. */
const struct replay_tally *log_source_tally(const struct log_source *log);

/* Says what was damaged, or could not be read; false: there is such. */
bool log_source_is_whole(const struct log_source *log);

#endif
