/* What the store is known to have of this node's rows: for each window of each report, the
 * transactions whose rows it has acknowledged. It belongs to the flush thread. */
#ifndef AFORO_SERVER_FLUSH_ROWS_KNOWN_H
#define AFORO_SERVER_FLUSH_ROWS_KNOWN_H

#include "counters/rows/tables.h"
#include "redis/rows.h"
#include "server/flush/rows_gather.h"
#include "server/flush/rows_reference.h"

struct rows_window {
    int64_t window;
    uint64_t there; /* sum of our part, as the store last reported it */
    /* generation of the acknowledgement; if it is not the current one, all rows are sent again */
    uint32_t generation;
    uint32_t failed_round; /* the round in which sending it failed */
    bool too_late;         /* it was logged that the window was closed before we could send it */
    bool doubted;          /* the store has another owner's part, which must be read back */
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
    const struct report *report; /* NULL: its definition cannot be read, so its rows are not sent */
    char name[ROWS_REPORT_MAX];  /* NAME.DIGEST */
    unsigned widths, sections;   /* of the table, when last examined */
    struct rows_width width[TABLE_WIDTHS_MAX];
    uint32_t told_generation; /* generation in which the report was announced to the store */
    bool read_back;      /* the read-back was made after the store's part last may have changed */
    bool too_large_told; /* it was logged that a row of it cannot be sent */
    bool was_read_back;  /* at least once in this process */
    struct rows_reference others; /* what others report of the same events, when this is a copy */
    unsigned last_width;          /* the window acknowledged last; 0: none */
    int64_t last_window;
};

struct rows_known {
    struct tables *tables; /* NULL: no reports */
    size_t n, cap;
    struct rows_table *table;
    int64_t horizon_us, future_us;
    struct rows_gather gather;
};

/* Picks up new tables, and sections that tables have gained. False when out of memory. */
bool rows_known_update(struct rows_known *known);
void rows_known_free(struct rows_known *known);

/* The memory of a window. rows_known_at makes an empty one if there is none; it may replace that of
 * a window that the table no longer holds. rows_known_find returns NULL if there is none. */
struct rows_window *rows_known_at(struct rows_table *table, unsigned width, int64_t window);
struct rows_window *rows_known_find(const struct rows_table *table, unsigned width, int64_t window);

/* The i-th place of all circles; NULL past the last. */
struct rows_window *rows_known_place_at(const struct rows_width *width, size_t i);

/* Window numbers, both inclusive. */
struct rows_range {
    int64_t oldest, newest;
};

#define ROWS_SECTIONS_MAX TABLE_WRITERS_MOST

/* Fills range[ROWS_SECTIONS_MAX] with the windows that may have changed and returns how many ranges
 * there are: one or none, unless the clock was set. They are sorted newest first, except that what
 * a clock that was ahead left beyond the present comes last. now_us: wall clock. */
size_t rows_known_ranges(const struct rows_known *known, const struct rows_table *table,
                         unsigned width, int64_t now_us, struct rows_range *range);

/* Fills touched[sections] with the last transaction that touched a window in each section; false:
 * none did. */
bool rows_known_touched(const struct rows_table *table, unsigned width, int64_t window,
                        uint64_t *touched);

/* Notes that everything in the table now was counted by earlier runs, and so is not waiting to be
 * sent by this one. */
void rows_known_remember(struct rows_known *known, struct rows_table *table, int64_t now_us);

/* The name of a window at the store. */
struct rows_place rows_known_place(const struct rows_table *table, unsigned width, int64_t window);

/* Subtracts from a row what other servers report of it; false when nothing is left. */
bool rows_known_subtract(const struct rows_table *table, const struct rows_place *place,
                         struct rows_row *row);

#endif
