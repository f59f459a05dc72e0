/* What the store is known to have of this node's rows: for each window of each report the
 * transactions whose rows it has acknowledged. The flush thread's own. */
#ifndef AFORO_SERVER_FLUSH_ROWS_KNOWN_H
#define AFORO_SERVER_FLUSH_ROWS_KNOWN_H

#include "counters/rows/tables.h"
#include "redis/rows.h"
#include "server/flush/rows_gather.h"
#include "server/flush/rows_reference.h"

struct rows_window {
    int64_t window;
    uint64_t there; /* sum of our part, as the store said last */
    /* of the acknowledgement; another one than the present: all of it is to be sent again */
    uint32_t generation;
    uint32_t failed_round; /* the round in which the store would not take it */
    bool too_late;         /* what was closed before we could send it was told */
    bool doubted;          /* the store has another owner's part: it is to be read back */
    uint64_t touched[];    /* [sections]: transactions up to these were acknowledged */
};

struct rows_width {
    /* Circles of windows, as in known.h: one, unless the clock was set, and the table holds windows
     * that are a circle's length apart. */
    unsigned char **circle;
    size_t circles;
    size_t stride;
    int64_t places;
    int64_t width_us;
    char name[ROWS_WIDTH_MAX];
    int64_t keep_s;
};

struct rows_table {
    struct table *table;
    struct definitions *definitions; /* of this one report */
    const struct report *report;     /* NULL: its definition cannot be read; it is not sent */
    char name[ROWS_REPORT_MAX];      /* NAME.DIGEST */
    unsigned widths, sections;       /* of the table, when it was looked at last */
    struct rows_width width[TABLE_WIDTHS_MAX];
    uint32_t told_generation;     /* in which the store was told of it */
    bool read_back;               /* what the store has of it was, since it may have changed */
    bool too_large_told;          /* that a row of it cannot be sent */
    bool was_read_back;           /* once at least, in this process */
    struct rows_reference others; /* what others report of the same events: this is a copy */
    unsigned last_width;          /* what was acknowledged last; window 0: nothing */
    int64_t last_window;
};

struct rows_known {
    struct tables *tables; /* NULL: no reports */
    size_t n, cap;
    struct rows_table *table;
    int64_t horizon_us, future_us;
    struct rows_gather gather;
};

/* Takes over tables that are new, and sections that tables have got. False when out of memory. */
bool rows_known_update(struct rows_known *known);
void rows_known_free(struct rows_known *known);

/* The memory of a window, empty when there was none: another one, which the table holds no more,
 * may have had its place; and as it is, NULL when there is none. */
struct rows_window *rows_known_at(struct rows_table *table, unsigned width, int64_t window);
struct rows_window *rows_known_find(const struct rows_table *table, unsigned width, int64_t window);

/* The i-th place of all circles; NULL behind the last. */
struct rows_window *rows_known_place_at(const struct rows_width *width, size_t i);

/* Windows, both inclusive. */
struct rows_range {
    int64_t oldest, newest;
};

#define ROWS_SECTIONS_MAX TABLE_WRITERS_MOST

/* Which windows may have changed: into range[ROWS_SECTIONS_MAX], newest first, but behind the
 * others what a clock that was ahead has left beyond the present. There is one range, or none,
 * unless the clock was set. now_us: wall clock. Returns how many. */
size_t rows_known_ranges(const struct rows_known *known, const struct rows_table *table,
                         unsigned width, int64_t now_us, struct rows_range *range);

/* Reads what touched a window in each section, into touched[sections]; false: nothing did. */
bool rows_known_touched(const struct rows_table *table, unsigned width, int64_t window,
                        uint64_t *touched);

/* All that is there now was counted by earlier runs: nothing of it waits to be sent by this one. */
void rows_known_remember(struct rows_known *known, struct rows_table *table, int64_t now_us);

/* A window as the store has it. */
struct rows_place rows_known_place(const struct rows_table *table, unsigned width, int64_t window);

/* What other servers report of a row, taken off it: false when nothing is left. */
bool rows_known_subtract(const struct rows_table *table, const struct rows_place *place,
                         struct rows_row *row);

#endif
