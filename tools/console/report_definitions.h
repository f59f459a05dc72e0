/* Reports of a source that holds definitions, one each, and several of one name when it was edited:
 * found by their names, and their rows written. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_REPORT_DEFINITIONS_H
#define AFORO_TOOLS_CONSOLE_REPORT_DEFINITIONS_H

#include "tools/console/report_source.h"
#include "view/report_list.h"

#define REPORT_DEFINITIONS_MAX 256

#define REPORT_FULL_NAME_MAX (TABLE_NAME_MAX + TABLE_DIGEST_MAX)

/* One report as its source holds it. */
struct held_report {
    char name[REPORT_FULL_NAME_MAX]; /* NAME.DIGEST */
    struct definitions *definitions; /* of it alone; NULL: they cannot be read by this program */
    const struct table *table;       /* NULL: it has none here */
    char why[SOURCE_WHY_MAX];        /* they cannot */
};

struct held_reports {
    size_t n;
    struct held_report held[REPORT_DEFINITIONS_MAX];
};

/* Adds the report NAME.DIGEST, by its definition. Nothing is added beyond REPORT_DEFINITIONS_MAX.
 * The table may be NULL. */
void held_reports_add(struct held_reports *reports, const char *name, const char *definition,
                      size_t len, const struct table *table);
void held_reports_free(struct held_reports *reports);

/* Where the rows of one of them are. */
struct report_opener {
    /* Fills *reader for window number `width` of the report. What the reader needs stays until the
     * next call. */
    bool (*open)(void *cls, const struct held_report *held, unsigned width,
                 struct report_reader *reader);
    void *cls;
    int64_t horizon_us;
    char *why; /* [SOURCE_WHY_MAX], where open and the reader say what failed */
};

/* The rows that the words mean. Of several definitions of a name the one with the newest rows is
 * read. */
enum report_outcome held_reports_rows(const struct held_reports *reports,
                                      const struct report_words *words,
                                      const struct report_opener *opener,
                                      const struct text_taker *taker);

/* The list of them. */
enum report_outcome held_reports_list(const struct held_reports *reports, enum rows_format format,
                                      const struct text_taker *taker, char why[SOURCE_WHY_MAX]);

#endif
