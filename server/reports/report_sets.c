#include "server/reports/report_sets.h"

#include "reports/cost.h"
#include "server/process/clock.h"
#include "server/process/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEEN_WAIT_US (10 * US_PER_S)
#define SEEN_POLL_NS 1000000
#define KEYS_FEW 10 /* in each window */
#define WHY_MAX (DEFINITIONS_WHY_MAX > COUNTERS_WHY_MAX ? DEFINITIONS_WHY_MAX : COUNTERS_WHY_MAX)

static struct definitions *load(const struct report_sets *sets, char *why) {
    const struct definitions_for purpose = {
        .span = sets->span, .file = sets->path, .times = sets->times.n, .time = sets->times.name};
    return definitions_load_for(sets->path, &purpose, why);
}

bool report_sets_load(struct report_sets *sets) {
    char why[DEFINITIONS_WHY_MAX];
    if (sets->path) {
        own_crashes_keep_in(sets->state);
        sets->loaded = load(sets, why);
        if (!sets->loaded) {
            fprintf(stderr, "aforod: --reports: %s\n", why);
        }
    }
    definitions_seal_measures();
    return !sets->path || sets->loaded;
}

/* ---- a set ---- */

static void free_set(struct report_set *set) {
    if (!set) {
        return;
    }
    for (unsigned w = 0; w < set->workers; w++) {
        adder_free(set->adder[w]);
    }
    if (set->definitions) {
        definitions_free(set->definitions);
    }
    free(set);
}

static bool open_table(struct tables *tables, struct report_set *set, unsigned r, char *why) {
    const struct report *report = &set->definitions->report[r];
    char sentence[COUNTERS_WHY_MAX];
    set->reports.table[r] = tables_get(tables, &report->table, sentence);
    if (!set->reports.table[r]) {
        snprintf(why, WHY_MAX, "report %s: %.400s", report->table.name, sentence);
    }
    return set->reports.table[r] != NULL;
}

/* Makes a set, which takes ownership of the definitions. NULL, with `why` (WHY_MAX bytes) filled,
 * when that fails; the definitions are freed then, too. */
static struct report_set *make_set(const struct report_sets *sets, struct definitions *definitions,
                                   char *why) {
    struct report_set *set = calloc(1, sizeof *set);
    snprintf(why, WHY_MAX, "out of memory");
    if (!set) {
        definitions_free(definitions);
        return NULL;
    }
    set->definitions = definitions;
    set->reports.definitions = definitions;
    set->reports.tables = sets->tables;
    bool ok = true;
    for (unsigned r = 0; ok && r < definitions->reports; r++) {
        ok = open_table(sets->tables, set, r, why);
    }
    for (unsigned w = 0; ok && definitions->reports > 0 && w < sets->span.workers; w++) {
        set->adder[w] = adder_new(&set->reports, w + 1);
        set->workers = w + 1;
        ok = set->adder[w] != NULL;
    }
    if (!ok) {
        free_set(set);
        return NULL;
    }
    return set;
}

uint64_t report_set_unfit(const struct report_set *set, unsigned report, unsigned field) {
    uint64_t sum = atomic_load_explicit(&set->unfit_before[report][field], memory_order_relaxed);
    for (unsigned w = 0; w < set->workers; w++) {
        sum += adder_unfit(set->adder[w], report, field);
    }
    return sum;
}

uint64_t report_set_gone(const struct report_set *set, unsigned report) {
    uint64_t sum = atomic_load_explicit(&set->gone_before[report], memory_order_relaxed);
    for (unsigned w = 0; w < set->workers; w++) {
        sum += adder_gone(set->adder[w], report);
    }
    return sum;
}

/* These events are acknowledged and in `events`; nothing else would tell that rows lack them. */
static void log_gone(struct report_set *set) {
    for (unsigned r = 0; set && r < set->definitions->reports; r++) {
        const uint64_t gone = report_set_gone(set, r);
        if (gone > set->gone_told[r]) {
            log_line(LOG_WARN,
                     "events are counted, but not in this report: the clock was set, and there was "
                     "no disk space for rows beside those that were there",
                     "report=%s events=%" PRIu64, set->definitions->report[r].table.name,
                     gone - set->gone_told[r]);
            set->gone_told[r] = gone;
        }
    }
}

/* ---- measures of one's own that crashed ---- */

/* Once per start: logs which measures made the last run crash. */
static void log_crashes(void) {
    const struct own_crash *crash;
    char quoted[4 * MEASURE_NAME_MAX];
    for (size_t i = 0; (crash = own_crashes_last(i)) != NULL; i++) {
        log_line(LOG_ERROR, "a measure of your own ended the last run of this server",
                 "measure=%s signal=%s crashes=%u set_aside_after=%d",
                 *crash->name ? log_quote(crash->name, quoted, sizeof quoted) : "unknown",
                 own_crashes_cause(crash), crash->crashes, OWN_CRASHES_ASIDE);
    }
    if (own_crashes_killed()) {
        log_line(LOG_INFO,
                 "the last run ended while a measure of your own ran, by no fault that was seen "
                 "(kill -9, a watchdog, a lack of memory): that is not counted against it",
                 "threads=%u", own_crashes_killed());
    }
}

static void log_asides(const struct definitions *definitions) {
    char why[OWN_WHY_MAX], quoted[2 * OWN_WHY_MAX];
    for (unsigned i = 0; definitions && i < definitions->asides; i++) {
        own_explain_aside(definitions->aside[i].measure, why);
        log_line(LOG_ERROR, "a report is set aside: it counts nothing", "report=%s why=%s",
                 definitions->aside[i].name, log_quote(why, quoted, sizeof quoted));
    }
}

/* ---- memory ---- */

/* Logs which reports have so little memory that nearly all keys end in `(other)`: a server that has
 * run for less than the horizon does not show it. */
static void log_small(const struct report_sets *sets, const struct definitions *definitions) {
    char width[16];
    for (unsigned r = 0; r < definitions->reports; r++) {
        const struct table_config *table = &definitions->report[r].table;
        for (unsigned i = 0; table->keyed && i < table->widths; i++) {
            const int64_t keys = table_window_rows(table, &sets->span, i, COST_KEY_LEN);
            if (keys < KEYS_FEW && (uint64_t)keys < table->keys_max) {
                report_width_name(table->width_us[i], width);
                log_line(LOG_WARN,
                         "a report has room for few keys in each window, further ones go to "
                         "(other): give it more memory, wider windows, smaller figures or a "
                         "shorter --horizon (aforo reports check)",
                         "report=%s window=%s keys=%" PRId64 " memory=%" PRId64, table->name, width,
                         keys, table->memory);
            }
        }
    }
}

/* False when crashes cannot be recorded; one line on stderr has said why. */
static bool check_crashes(const struct report_sets *sets) {
    if (own_crashes_why()) {
        fprintf(stderr, "aforod: %s\n", own_crashes_why());
        return false;
    }
    log_crashes();
    log_asides(sets->loaded);
    return true;
}

/* ---- at start, and at the end ---- */

bool report_sets_open(struct report_sets *sets, struct counters *counters) {
    char why[WHY_MAX];
    bool none = false;
    uint64_t repaired = 0;
    if (!check_crashes(sets)) {
        return false;
    }
    sets->tables =
        tables_open(counters, sets->span.workers, sets->path != NULL, &none, &repaired, why);
    if (!sets->tables) {
        if (!none) {
            fprintf(stderr, "aforod: %s\n", why);
        }
        return none;
    }
    sets->repaired = repaired > 0;
    if (repaired) {
        log_line(LOG_WARN, "completed or undid what a crash had left half done in reports",
                 "events=%" PRIu64, repaired);
    }
    if (sets->loaded) {
        struct report_set *set = make_set(sets, sets->loaded, why);
        sets->loaded = NULL;
        if (!set) {
            fprintf(stderr, "aforod: --reports: %s\n", why);
            return false;
        }
        atomic_store(&sets->in_force, set);
        char quoted[512];
        log_line(LOG_INFO, "reports read", "file=%s reports=%u",
                 log_quote(sets->path, quoted, sizeof quoted), set->definitions->reports);
        log_small(sets, set->definitions);
    }
    sets->generation = 1; /* no worker has seen it yet */
    return true;
}

void report_sets_close(struct report_sets *sets) {
    struct report_set *set = atomic_exchange(&sets->in_force, NULL);
    log_gone(set);
    free_set(set);
    if (sets->loaded) {
        definitions_free(sets->loaded);
    }
    tables_close(sets->tables);
    sets->loaded = NULL;
    sets->tables = NULL;
}

/* ---- the workers ---- */

void report_sets_join(struct report_sets *sets, struct report_view *view) {
    SLIST_INSERT_HEAD(&sets->views, view, entry);
}

void report_sets_adopt_owner(const struct report_sets *sets, struct report_view *view,
                             uint64_t generation, unsigned worker) {
    view->set = atomic_load_explicit(&sets->in_force, memory_order_acquire);
    view->adder = view->set && worker < view->set->workers ? view->set->adder[worker] : NULL;
    /* Release pairs with the acquire in all_have_seen: the worker has ended all use of what was in
     * force before. */
    atomic_store_explicit(&view->seen, generation, memory_order_release);
}

static bool all_have_seen(const struct report_sets *sets, uint64_t generation) {
    const struct report_view *view;
    SLIST_FOREACH(view, &sets->views, entry) {
        if (atomic_load_explicit(&view->seen, memory_order_acquire) < generation) {
            return false;
        }
    }
    return true;
}

/* Waits; an idle worker wakes up every half second. False when a worker seems to be stuck. */
static bool wait_until_seen(const struct report_sets *sets, uint64_t generation) {
    const int64_t deadline_us = clock_steady_us() + SEEN_WAIT_US;
    while (!all_have_seen(sets, generation)) {
        if (clock_steady_us() > deadline_us) {
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = SEEN_POLL_NS}, NULL);
    }
    return true;
}

/* ---- read again ---- */

static void log_kept(const char *why) {
    char quoted[2 * WHY_MAX];
    log_line(LOG_ERROR, "not read again: the reports of before stay in force",
             "flag=--reports error=%s", log_quote(why, quoted, sizeof quoted));
}

static bool is_field(const struct definitions *definitions, unsigned f, const char *name) {
    return f < definitions->fields.n && strcmp(definitions->fields.field[f].name, name) == 0;
}

/* Carries over how many events each field kept out of one report, under the fields' new numbers. */
static void carry_unfit(const struct report_set *old, unsigned r, struct report_set *set,
                        unsigned to) {
    for (unsigned f = 0; f < old->definitions->fields.n; f++) {
        const char *name = old->definitions->fields.field[f].name;
        for (unsigned g = 0; g < set->definitions->fields.n; g++) {
            if (is_field(set->definitions, g, name)) {
                atomic_store_explicit(&set->unfit_before[to][g], report_set_unfit(old, r, f),
                                      memory_order_relaxed);
            }
        }
    }
}

static void carry_statistics(struct report_set *old, struct report_set *set) {
    log_gone(old);
    for (unsigned r = 0; r < old->definitions->reports; r++) {
        for (unsigned to = 0; to < set->definitions->reports; to++) {
            if (strcmp(old->definitions->report[r].table.name,
                       set->definitions->report[to].table.name) == 0) {
                carry_unfit(old, r, set, to);
                atomic_store_explicit(&set->gone_before[to], report_set_gone(old, r),
                                      memory_order_relaxed);
                set->gone_told[to] = old->gone_told[r];
            }
        }
    }
}

void report_sets_reload(struct report_sets *sets) {
    char why[WHY_MAX];
    if (!sets->path) {
        return;
    }
    struct definitions *definitions = load(sets, why);
    struct report_set *set = definitions ? make_set(sets, definitions, why) : NULL;
    atomic_store_explicit(&sets->not_read, set == NULL, memory_order_relaxed);
    if (!set) {
        log_kept(why);
        return;
    }
    const unsigned reports = definitions->reports;
    struct report_set *old = atomic_exchange(&sets->in_force, set);
    /* Release pairs with the acquire in report_sets_refresh_owner. */
    const uint64_t generation = sets->generation + 1;
    atomic_store_explicit(&sets->generation, generation, memory_order_release);
    if (wait_until_seen(sets, generation)) {
        carry_statistics(old, set);
        free_set(old);
        log_line(LOG_INFO, "reports read again", "reports=%u", reports);
        log_asides(definitions);
        log_small(sets, definitions);
    } else { /* the stuck worker may still use it, so its memory is not freed */
        log_line(LOG_WARN, "reports read again, but a worker has not taken them yet", "reports=%u",
                 reports);
    }
}

/* ---- what is over ---- */

static bool is_in_force(const struct report_set *set, const struct table *table) {
    for (unsigned r = 0; set && r < set->definitions->reports; r++) {
        if (set->reports.table[r] == table) {
            return true;
        }
    }
    return false;
}

void report_sets_tidy(struct report_sets *sets, int64_t now_us) {
    struct report_set *set = atomic_load(&sets->in_force);
    log_gone(set);
    if (!sets->tables) {
        return;
    }
    for (size_t i = 0; i < tables_count(sets->tables); i++) {
        struct table *table = tables_at(sets->tables, i);
        if (!is_in_force(set, table) && !table_is_removed(table) &&
            tables_remove(sets->tables, table, now_us)) {
            log_line(LOG_INFO, "a report that is over was removed", "report=%s digest=%s",
                     table_config(table)->name, table_config(table)->digest);
        }
    }
}
