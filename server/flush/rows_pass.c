/* Sends what changed in the rows of reports: of each window that was touched since it was
 * acknowledged, the changed rows, as absolute values; after a reconnect or a loss, all rows. */
#include "counters/time/horizon.h"
#include "server/flush/internal.h"
#include "server/process/clock.h"
#include "server/process/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RECENT_US (4 * US_PER_S) /* what every pass examines */
#define PASS_CALLS 512           /* calls of the store that one pass makes at most */
/* Windows older than this are not sent again after a loss: the store closes them, and nobody asks
 * for them. They come from a clock that was set. */
#define OLD_US (HORIZON_MAX_US + 3600 * US_PER_S)

/* A window that is being sent. */
struct sending {
    struct flush *flush;
    struct rows_table *table;
    unsigned width;
    struct rows_window *known;
    bool all;       /* all its rows, not only those that changed */
    uint64_t there; /* what the store is known to have before the call */
    struct store_ack ack;
    bool begun, failed;
    bool lost; /* something was missing that a call before had found or stored */
};

/* ---- what the store says ---- */

static void note_closed(const struct sending *sending) {
    if (!sending->known->too_late) {
        sending->known->too_late = true;
        log_line(LOG_WARN,
                 "the store has closed a window of a report for good that this node still had rows "
                 "of: they stay here only",
                 "report=%s width=%s window=%" PRId64, sending->table->name,
                 sending->table->width[sending->width].name, sending->known->window);
    }
}

static void note_stored(const struct sending *sending, const uint64_t *touched) {
    struct flush *flush = sending->flush;
    struct rows_window *known = sending->known;
    const bool less = sending->lost || sending->ack.had < sending->there;
    memcpy(known->touched, touched, sending->table->sections * sizeof *touched);
    known->generation = flush->known.generation;
    known->there = sending->ack.has;
    sending->table->last_width = sending->width;
    sending->table->last_window = known->window;
    if (less) {
        rows_lost(flush, sending->all ? NULL : known);
    }
}

static void take_ack(const struct sending *sending, const uint64_t *touched) {
    struct flush *flush = sending->flush;
    struct rows_window *known = sending->known;
    switch (sending->ack.outcome) {
    case STORE_STORED:
        note_stored(sending, touched);
        break;
    case STORE_CLOSED:
        note_closed(sending);
        memcpy(known->touched, touched, sending->table->sections * sizeof *touched);
        known->generation = flush->known.generation;
        break;
    case STORE_FOREIGN:
        known->generation = 0;
        known->doubted = true;
        sending->table->read_back = false;
        identity_doubt(flush, NULL);
        break;
    case STORE_FAILED:
        flush->pass.failed = true;
        known->generation = 0;
        known->failed_round = flush->pass.round;
        break;
    }
}

void rows_lost(struct flush *flush, struct rows_window *known) {
    if (known) {
        known->generation = 0;
        known->there = 0;
        flush->watch.lost = true;
    }
    watch_lost(flush, NULL);
}

/* ---- sending ---- */

/* The workers' sums together may exceed what the store adds up exactly, although none alone
 * does. */
static bool may_be_sent(struct rows_table *table, const struct rows_row *row) {
    if (rows_row_is_valid(row)) {
        return true;
    }
    if (!table->too_large_told) {
        table->too_large_told = true;
        log_line(LOG_WARN,
                 "a row of a report cannot be sent to the store: a sum of it is beyond 2^53; it "
                 "stays here only",
                 "report=%s", table->name);
    }
    return false;
}

/* Sends what is gathered. */
static void send_gathered(struct sending *sending) {
    struct flush *flush = sending->flush;
    struct rows_gather *gather = &flush->rows.gather;
    struct rows_row *row = rows_gather_end(gather);
    char why[STORE_WHY_MAX] = "out of memory";
    struct store_ack ack = {STORE_FAILED, 0, 0};
    const struct rows_place place =
        rows_known_place(sending->table, sending->width, sending->known->window);
    size_t n = 0;
    for (size_t i = 0; row && i < gather->n; i++) {
        if (rows_known_subtract(sending->table, &place, &row[i]) &&
            may_be_sent(sending->table, &row[i])) {
            row[n++] = row[i];
        }
    }
    if (row && n == 0) { /* others report all of these rows, or they cannot be sent */
        rows_gather_begin(gather);
        return;
    }
    const struct store_rows rows = {.place = place,
                                    .there = sending->begun ? sending->ack.has : sending->there,
                                    .keep_s = sending->table->width[sending->width].keep_s,
                                    .n = n,
                                    .row = row};
    if (!row || !flush->config.store->ops->send_rows(flush->config.store, &rows, &ack, why)) {
        flush_error(flush, "flush of a report failed", why);
        ack.outcome = STORE_FAILED;
    }
    if (ack.outcome == STORE_STORED && sending->begun) {
        sending->lost = sending->lost || ack.had < sending->ack.has;
        ack.had = sending->ack.had; /* the first call found what was there before */
    }
    sending->ack = ack;
    sending->begun = true;
    sending->failed = ack.outcome != STORE_STORED;
    flush->pass.rows_sent++;
    rows_gather_begin(gather);
}

static void send_rows(struct sending *sending, const struct rows_collected *collected) {
    struct rows_gather *gather = &sending->flush->rows.gather;
    rows_gather_begin(gather);
    for (size_t i = 0; i < collected->n && !sending->failed; i++) {
        if (!sending->all && !collected->row[i].changed) {
            continue;
        }
        rows_gather_add(gather, sending->table->report, &collected->row[i]);
        if (rows_gather_is_full(gather)) {
            send_gathered(sending);
        }
    }
    if (gather->n && !sending->failed) {
        send_gathered(sending);
    }
}

/* Sends a window that changed. `touched` was read before its rows, so that a later change shows. */
static void send_window(struct flush *flush, struct rows_table *table, unsigned width,
                        int64_t window, const uint64_t *touched) {
    struct rows_window *known = rows_known_at(table, width, window);
    struct sending sending = {.flush = flush,
                              .table = table,
                              .width = width,
                              .known = known,
                              .all = known->generation != flush->known.generation,
                              .there = known->there};
    const struct rows_question question = {
        table->report,  table->table,      width,
        window,         ROWS_ALL_SECTIONS, sending.all ? NULL : known->touched,
        table->sections};
    struct rows_collected collected;
    if (known->failed_round == flush->pass.round) {
        flush->pass.left_out = true;
        return;
    }
    if (!rows_collect(&question, &collected)) {
        flush_error(flush, "cannot read the rows of a report", "out of memory");
        flush->pass.failed = true;
    } else {
        send_rows(&sending, &collected);
        if (sending.begun) {
            take_ack(&sending, touched);
        } else { /* the transactions that touched it changed no row */
            memcpy(known->touched, touched, table->sections * sizeof *touched);
            known->generation = flush->known.generation;
        }
    }
    rows_collected_free(&collected);
}

/* ---- what changed ---- */

static bool is_acknowledged(const struct rows_table *table, unsigned width, int64_t window,
                            const uint64_t *touched) {
    const struct rows_window *known = rows_known_find(table, width, window);
    return known && memcmp(known->touched, touched, table->sections * sizeof *touched) == 0;
}

static bool may_go_on(const struct flush *flush) {
    const struct pass *pass = &flush->pass;
    return flush->state == FLUSH_SENDING && pass->rows_sent < PASS_CALLS &&
           (!pass->failed || flush->config.store->ops->connected(flush->config.store)) &&
           clock_steady_us() < pass->end_us;
}

/* Examines windows [oldest, newest] of one width of a table, newest first. True when it got through
 * all of them. */
static bool pass_windows(struct flush *flush, struct rows_table *table, unsigned width,
                         int64_t oldest, int64_t newest) {
    const int64_t old = (clock_wall_us() - OLD_US) / table->width[width].width_us;
    for (int64_t window = newest; window >= oldest; window--) {
        uint64_t touched[ROWS_SECTIONS_MAX];
        if (!rows_known_touched(table, width, window, touched)) {
            continue;
        }
        const struct rows_window *known = rows_known_find(table, width, window);
        if (known && (known->generation == flush->known.generation || window < old) &&
            is_acknowledged(table, width, window, touched)) {
            continue;
        }
        if (!may_go_on(flush)) {
            return false;
        }
        send_window(flush, table, width, window, touched);
    }
    return true;
}

/* Examines one width of a table; full: everything, else only recent windows. True when it got
 * through all of them. */
static bool pass_width(struct flush *flush, struct rows_table *table, unsigned width, bool full) {
    struct rows_range range[ROWS_SECTIONS_MAX];
    const int64_t now_us = clock_wall_us(), width_us = table->width[width].width_us;
    const size_t n = rows_known_ranges(&flush->rows, table, width, now_us, range);
    const int64_t first = (now_us - RECENT_US) / width_us,
                  last = (now_us + flush->rows.future_us) / width_us + 1;
    bool whole = true;
    for (size_t i = 0; i < n && whole; i++) {
        const int64_t oldest = full || range[i].oldest > first ? range[i].oldest : first,
                      newest = full || range[i].newest < last ? range[i].newest : last;
        whole = pass_windows(flush, table, width, oldest, newest);
    }
    return whole;
}

/* Announces the report: the store must know it before its rows. */
static bool tell_report(struct flush *flush, struct rows_table *table) {
    char windows[TABLE_WIDTHS_MAX * 64], why[STORE_WHY_MAX] = "";
    const struct table_config *config = table_config(table->table);
    size_t len = 0;
    if (table->told_generation == flush->known.generation) {
        return true;
    }
    for (unsigned k = 0; k < table->widths; k++) {
        len += (size_t)snprintf(windows + len, sizeof windows - len, "%s %" PRId64 " %" PRId64 "\n",
                                table->width[k].name, table->width[k].width_us,
                                table->width[k].keep_s);
    }
    const struct store_report report = {table->name, config->definition, config->definition_len,
                                        windows};
    if (!flush->config.store->ops->tell_report(flush->config.store, &report, why)) {
        flush_error(flush, "cannot tell the store of a report", why);
        flush->pass.failed = true;
        return false;
    }
    table->told_generation = flush->known.generation;
    return true;
}

void rows_pass_edge(struct flush *flush) {
    const int64_t now_us = clock_wall_us();
    flush->pass.rows_sent = 0;
    for (size_t i = 0; i < flush->rows.n; i++) {
        struct rows_table *table = &flush->rows.table[i];
        if (!table->report || !table->read_back) {
            continue;
        }
        for (unsigned k = 0; k < table->widths; k++) {
            struct rows_range range[ROWS_SECTIONS_MAX];
            /* the newest window that no event can reach any more */
            const int64_t edge = (now_us - flush->rows.horizon_us) / table->width[k].width_us - 1;
            const size_t n = rows_known_ranges(&flush->rows, table, k, now_us, range);
            for (size_t j = 0; j < n; j++) {
                const int64_t newest = range[j].newest < edge ? range[j].newest : edge;
                if (!may_go_on(flush) || !tell_report(flush, table) ||
                    !pass_windows(flush, table, k, range[j].oldest, newest)) {
                    return;
                }
            }
        }
    }
}

bool rows_pass(struct flush *flush, bool full) {
    bool whole = true;
    flush->pass.rows_sent = 0;
    if (!rows_known_update(&flush->rows)) {
        flush_error(flush, "cannot send the rows of a report", "out of memory");
        flush->pass.failed = true;
        return false;
    }
    for (size_t i = 0; i < flush->rows.n && whole; i++) {
        struct rows_table *table = &flush->rows.table[i];
        if (!table->report) {
            continue;
        }
        whole = may_go_on(flush) && rows_read_back_table(flush, table) && tell_report(flush, table);
        for (unsigned k = 0; k < table->widths && whole; k++) {
            whole = pass_width(flush, table, k, full);
        }
    }
    return whole;
}

static bool has_unsent(const struct rows_table *table, unsigned width,
                       const struct rows_range *range) {
    for (int64_t window = range->newest; window >= range->oldest; window--) {
        uint64_t touched[ROWS_SECTIONS_MAX];
        if (rows_known_touched(table, width, window, touched) &&
            !is_acknowledged(table, width, window, touched)) {
            return true;
        }
    }
    return false;
}

bool rows_unsent(const struct flush *flush) {
    for (size_t i = 0; i < flush->rows.n; i++) {
        const struct rows_table *table = &flush->rows.table[i];
        for (unsigned k = 0; k < table->widths && table->report; k++) {
            struct rows_range range[ROWS_SECTIONS_MAX];
            const size_t n = rows_known_ranges(&flush->rows, table, k, clock_wall_us(), range);
            for (size_t j = 0; j < n; j++) {
                if (has_unsent(table, k, &range[j])) {
                    return true;
                }
            }
        }
    }
    return false;
}

bool rows_compare(struct flush *flush) {
    char why[STORE_WHY_MAX] = "";
    for (size_t i = 0; i < flush->rows.n; i++) {
        struct rows_table *table = &flush->rows.table[i];
        struct rows_window *known =
            table->last_window ? rows_known_find(table, table->last_width, table->last_window)
                               : NULL;
        uint64_t sum = 0;
        if (!known || known->generation != flush->known.generation) {
            continue;
        }
        const struct rows_place place =
            rows_known_place(table, table->last_width, table->last_window);
        if (!flush->config.store->ops->rows_sum(flush->config.store, &place, &sum, why)) {
            flush_error(flush, "the store does not answer", why);
            return false;
        }
        /* a window that may have expired does not count as lost */
        if (sum < known->there &&
            (place.window + 1) * place.width_us >= clock_wall_us() - flush->rows.horizon_us) {
            rows_lost(flush, known);
            return false;
        }
    }
    return true;
}
