/* Definitions of reports: read from YAML and checked; mistakes are reported with their place. */
#ifndef AFORO_REPORTS_DEFINITIONS_H
#define AFORO_REPORTS_DEFINITIONS_H

#include "counters/measures/figure.h"
#include "counters/measures/measure.h"
#include "counters/measures/own.h"
#include "counters/rows/table.h"
#include "ingest/fields.h"
#include "reports/condition.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPORTS_MAX 32
#define REPORT_SHOW_MAX 16     /* figures of one report */
#define REPORT_MEASURES_MAX 24 /* measures needed for them; the first is always count */
#define DEFINITIONS_WHY_MAX 512
#define DEFINITIONS_BYTES_MAX (1 << 20)
#define REPORT_KEYS_DEFAULT 10000
#define REPORT_KEYS_MOST 10000000
#define REPORT_WINDOWS_KEPT_DEFAULT 1440
#define REPORT_KEEP_MARGIN_US (3600 * US_PER_S) /* least time beyond the horizon */
#define REPORT_KEEP_MOST_US (400 * 24 * 3600 * US_PER_S)
#define REPORT_MEMORY_DEFAULT (INT64_C(64) << 20)
#define REPORT_MEMORY_UNASKED (INT64_C(1) << 30) /* more only if `memory` asks for it */
#define REPORT_MEMORY_MOST (INT64_C(1) << 40)

/* Upper bound of what table_touch_owner notes for undo: a new row, its window, values of `by`
 * fields. */
#define REPORT_TOUCH_PUTS_MAX (16 + 4 * TABLE_FIELDS_MAX)

struct report {
    struct table_config table; /* name, digest, widths, sizes; definition: that of this report */
    unsigned by;
    uint8_t by_field[TABLE_FIELDS_MAX];
    struct condition *when; /* NULL: every event */
    unsigned measures;
    struct measure measure[REPORT_MEASURES_MAX];    /* measure[0] is count; then by text */
    const char *argument_name[REPORT_MEASURES_MAX]; /* for measures of one field */
    unsigned figures;
    struct figure figure[REPORT_SHOW_MAX];
    uint64_t needs; /* bit i: declared field i must be present and fit (by, measures) */
    int64_t keep_us[TABLE_WIDTHS_MAX]; /* how long Redis keeps windows of each width */
    char *definition; /* owner of table.definition: canonical, with the fields it uses */
};

/* Bit i: declared field i may keep an event out of the report. */
static inline uint64_t report_limits(const struct report *report) {
    return report->needs | (report->when != NULL ? condition_fields(report->when) : 0);
}

/* A report that is declared but not in force: a measure that it shows has crashed too often. */
struct report_aside {
    char name[TABLE_NAME_MAX];
    const struct own_aside *measure;
};

struct definitions {
    struct fields_config fields;
    struct fields *compiled;
    uint8_t sorted[FIELDS_MAX]; /* indexes of the fields, sorted by name */
    const char *sorted_name[FIELDS_MAX];
    uint64_t puts; /* most words that one event notes for undo, over all reports */
    unsigned reports;
    struct report report[REPORTS_MAX];
    unsigned asides;
    struct report_aside aside[REPORTS_MAX];
};

/* What the definitions are read for; some bounds depend on it. */
struct definitions_for {
    /* workers 0: for reading only, as from a state file or the store. Then `keep` and `memory` are
     * not checked against the span, memory is as written or the default, and `measures:`, which
     * would load shared objects, is refused. A measure of one's own that is not loaded, or whose
     * loaded version has a state of another length, becomes measure_absent. The horizon determines
     * how long windows are kept by default. */
    struct table_span span;
    const char *file; /* its name in messages */
    unsigned times;   /* names of the event time, as in fields_config; 0: the default ones */
    const char *const *time;
};

/* Reads text[0..len). NULL fills `why`: one line, "FILE:LINE:COLUMN: what is wrong; what was
 * meant". Main's thread; with workers 0, any thread. The caller frees the result with
 * definitions_free.
 *
 * A report's digest is the XXH3 of what it asks: fields, `when`, `by`, widths, measures, keys, and
 * memory where it is given. It does not depend on the span, so that nodes with any number of
 * threads share their totals; nor on spelling, nor on which figures of its measures are shown. */
struct definitions *definitions_read(const char *text, size_t len,
                                     const struct definitions_for *purpose,
                                     char why[DEFINITIONS_WHY_MAX]);

/* The same for a file, whose path messages give. */
struct definitions *definitions_load_for(const char *path, const struct definitions_for *purpose,
                                         char why[DEFINITIONS_WHY_MAX]);
struct definitions *definitions_load(const char *path, const struct table_span *span,
                                     char why[DEFINITIONS_WHY_MAX]);

void definitions_free(struct definitions *definitions);

/* From now on `measures:` finds what has been loaded, and loads nothing more. To be called once,
 * after the definitions were read at start and before the filter of system calls closes. */
void definitions_seal_measures(void);

/* Converts a width to its name, "10ms", "1s", "15min", "1h", "1d", and back. False when it is not a
 * width: 1 to 1000 ms, s, min or h that divide a day. */
void report_width_name(int64_t width_us, char name[16]);
bool report_width_read(const char *name, size_t len, int64_t *width_us);

#endif
