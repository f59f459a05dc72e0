/* Reports of a source that has their definitions, one per report, and several of one name if it was
 * edited: finds them by name and writes their rows. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_REPORT_DEFINITIONS_H
#define AFORO_TOOLS_CONSOLE_REPORT_DEFINITIONS_H

#include "tools/console/report_source.h"
#include "view/report_list.h"

#define REPORT_FULL_NAME_MAX (TABLE_NAME_MAX + TABLE_DIGEST_MAX)

/* One report of a source. */
struct held_report {
    char name[REPORT_FULL_NAME_MAX]; /* NAME.DIGEST */
    struct definitions *definitions; /* of this report alone; NULL: this program cannot read them */
    const struct table *table;       /* NULL: there is none here */
    char why[SOURCE_WHY_MAX];        /* why the definitions cannot be read */
};

/* Zeroed, it is empty. */
struct held_reports {
    struct held_entry {
        struct held_report *report; /* stays where it is until all are freed */
    } * held;                       /* [n], by name */
    size_t n, cap;
};

/* Adds the report NAME.DIGEST with its definition, which is copied. The table may be NULL; it must
 * outlive the reports. A definition that cannot be read is added, too, with the reason. False when
 * out of memory; held_reports_free is called in either case. */
bool held_reports_add(struct held_reports *reports, const char *name, const char *definition,
                      size_t len, const struct table *table);
void held_reports_free(struct held_reports *reports);

/* Opens the rows of one of them. */
struct report_opener {
    /* Fills *reader for window number `width` of the report. The reader is valid until the next
     * call. */
    bool (*open)(void *cls, const struct held_report *held, unsigned width,
                 struct report_reader *reader);
    void *cls;
    int64_t horizon_us;
    char *why; /* [SOURCE_WHY_MAX], where `open` and the reader write what failed */
};

/* Passes the rows that the words mean to the taker. Of several definitions of one name, the one
 * with the newest rows is read, and only that one needs to fit the words. Rows are compared by the
 * window asked for if every definition has it, and otherwise by the narrowest that tell. */
enum report_outcome held_reports_rows(const struct held_reports *reports,
                                      const struct report_words *words,
                                      const struct report_opener *opener,
                                      const struct text_taker *taker);

/* Passes the list of reports to the taker. */
enum report_outcome held_reports_list(const struct held_reports *reports, enum rows_format format,
                                      const struct text_taker *taker, char why[SOURCE_WHY_MAX]);

#endif
