/* The inside of an adder. Private to reports/add*.c. */
#ifndef AFORO_REPORTS_ADDER_H
#define AFORO_REPORTS_ADDER_H

#include "reports/add.h"
#include "reports/canonical.h"
#include "reports/recent.h"

/* What is needed of a measure for each event, close together. */
struct adder_measure {
    const struct measure *measure;
    struct undo_change *(*plan)(const struct measure *, const struct aforo_event *,
                                const struct measure_rows *, struct undo_change *);
    uint32_t at; /* offset of its state in a row */
    uint8_t arguments, field;
    bool wants_many; /* several fields, or fields that the report does not need */
    bool wants_text; /* the text of its only field, which is a number */
    bool plain;      /* neither: its field's value as it is, if it has one */
};

/* A measure that grows (measure.h). */
struct adder_growth {
    uint32_t at; /* offset of its state in a row */
    uint8_t field;
    bool by_one;
};

/* A `by` field. */
struct adder_by {
    uint8_t field, decimals;
    bool is_text;
};

/* The rows of one width. */
struct adder_width {
    struct table_section *section;
    int64_t width_us, window, start_us; /* the window of the previous event */
    struct table_row base;              /* in a report without keys: the base row found last */
};

/* A report, for one worker. */
struct adder_report {
    const struct table *table;
    const struct condition *when;
    uint64_t needs, looks; /* bit i: field i, for measures and `by`, and for `when` */
    unsigned by, widths;
    unsigned growths;
    /* the ends of: those that plan, then those that cannot, then those that grow */
    unsigned planned, measures, all;
    size_t notes; /* most undo notes that changing its rows makes */
    struct recent recent;
    struct adder_by by_field[TABLE_FIELDS_MAX];
    struct adder_width width[TABLE_WIDTHS_MAX];
    struct adder_growth growth[REPORT_MEASURES_MAX];
    struct adder_measure measure[REPORT_MEASURES_MAX];
};

struct adder {
    struct undo *undo;
    struct tables *tables;
    unsigned n, worker, writer; /* the writer that the worker is now */
    uint32_t always, asked;     /* bit r: report r takes every event; it has a condition */
    struct adder_report report[REPORTS_MAX];
    struct undo_change *change; /* large enough for any report */
    /* the event's key in the report that it is being added to */
    struct table_key key;
    char bytes[TABLE_KEY_MAX];
    struct canonical canonical;
    uint8_t decimals[FIELDS_MAX]; /* of number fields; NO_NUMBER for text */
    uint32_t left_out;            /* bit r: a field kept the previous event out of report r */
    struct left_out why[REPORTS_MAX];
    _Atomic uint64_t unfit[REPORTS_MAX][FIELDS_MAX], gone[REPORTS_MAX];
};

_Static_assert(REPORTS_MAX <= 32, "a bit for each");

#define NO_NUMBER 0xff

/* One event and its transaction. */
struct addition {
    struct adder *adder;
    const struct record *record;
    int64_t us;
    uint64_t fit; /* bit i: field i is present and of its type */
    uint64_t unfit;
    bool begun; /* the transaction is open */
};

/* Notes which fields kept the event out of a report. */
void adder_note_unfit(struct addition *addition, const struct adder_report *its,
                      const struct left_out *why);

/* ---- add_rows.c ---- */

/* The rows of an event in a report, and what to remember of them. */
struct adder_rows {
    const struct table_row *row[TABLE_WIDTHS_MAX]; /* a kept one, or one of `found` */
    struct table_row found[TABLE_WIDTHS_MAX];
    struct recent_key key;
    struct recent_slot *slot; /* NULL: none */
    bool is_known;            /* the slot is that of the key */
    unsigned searched;        /* bit k: the row of width k had to be looked up */
};

/* Finds or makes the rows of all widths within the open transaction. False when the event's key is
 * too long or a window has no place, which is noted; the caller then restores what was changed. */
bool adder_find_rows(struct addition *addition, struct adder_report *its, struct adder_rows *rows);

/* Remembers the rows, once it is certain that the event stays in them. */
void adder_keep_rows(const struct adder *adder, const struct adder_report *its,
                     const struct adder_rows *rows);

#endif
