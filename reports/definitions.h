/* What is asked: the definitions of reports, read from YAML, checked, with the place of each
 * mistake. */
#ifndef AFORO_REPORTS_DEFINITIONS_H
#define AFORO_REPORTS_DEFINITIONS_H

#include "counters/measures/figure.h"
#include "counters/measures/measure.h"
#include "counters/rows/table.h"
#include "ingest/fields.h"
#include "reports/condition.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPORTS_MAX 32
#define REPORT_SHOW_MAX 16     /* figures of one report */
#define REPORT_MEASURES_MAX 24 /* measures behind them; the first is always count */
#define DEFINITIONS_WHY_MAX 512
#define DEFINITIONS_BYTES_MAX (1 << 20)
#define REPORT_KEYS_DEFAULT 10000
#define REPORT_WINDOWS_KEPT_DEFAULT 1440

struct report {
    struct table_config table; /* name, digest, widths, sizes; definition: the report's own text */
    unsigned by;
    uint8_t by_field[TABLE_FIELDS_MAX];
    struct condition *when; /* NULL: every event */
    unsigned measures;
    struct measure measure[REPORT_MEASURES_MAX]; /* measure[0] is count */
    unsigned figures;
    struct figure figure[REPORT_SHOW_MAX];
    uint64_t needs; /* bit i: declared field i must be there and fit (by, measures) */
    int64_t keep_us[TABLE_WIDTHS_MAX]; /* how long Redis keeps windows of each width */
    char *definition; /* what table.definition points to: canonical, with the fields it uses */
};

struct definitions {
    struct fields_config fields;
    struct fields *compiled;
    unsigned reports;
    struct report report[REPORTS_MAX];
};

/* What the definitions are for; bounds depend on it. */
struct definitions_for {
    struct table_span span;
    const char *file; /* named in sentences */
};

/* Reads text[0..len). NULL fills why: one line, "FILE:LINE:COLUMN: what is wrong; what was meant".
 * Main's thread. The caller frees the result with definitions_free. */
struct definitions *definitions_read(const char *text, size_t len,
                                     const struct definitions_for *purpose,
                                     char why[DEFINITIONS_WHY_MAX]);

/* The same from a file. */
struct definitions *definitions_load(const char *path, const struct table_span *span,
                                     char why[DEFINITIONS_WHY_MAX]);

void definitions_free(struct definitions *definitions);

/* "10ms", "1s", "15min", "1h", "1d" of a width, and back; false when it is no width (1 to 1000 ms,
 * s, min, h that divides a day). */
void report_width_name(int64_t width_us, char name[16]);
bool report_width_read(const char *name, size_t len, int64_t *width_us);

#endif
