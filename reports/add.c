/* See add.h. An event is one transaction over the rows of all its reports: what its shard would
 * count is looked at, the rows are changed, the transaction is committed with that count, and the
 * shard counts. A report that the event turns out not to fit is put back, within the transaction.
 */
#include "reports/add.h"

#include "reports/read.h"

#include <stdlib.h>

/* What a report's rows are, for one worker. */
struct adder_report {
    const struct report *report;
    const struct table *table;
    struct table_section *section[TABLE_WIDTHS_MAX];
    bool bounded; /* some of its measures do not fit every event */
};

struct adder {
    const struct reports *reports;
    struct undo *undo;
    unsigned n;
    struct adder_report report[REPORTS_MAX];
    /* the event's key in the report that is being added to */
    struct table_key key;
    char bytes[TABLE_KEY_MAX];
    _Atomic uint64_t unfit[REPORTS_MAX][FIELDS_MAX], gone[REPORTS_MAX];
};

/* One event, and the transaction that it is. */
struct addition {
    struct adder *adder;
    const struct record *record;
    int64_t us;
    uint64_t fit; /* bit i: field i is there, and of its type */
    uint64_t unfit;
    bool begun; /* the transaction */
};

/* ---- before the threads start ---- */

bool reports_bind(struct reports *reports, const struct definitions *definitions,
                  struct tables *tables, char *why) {
    *reports = (struct reports){.definitions = definitions, .tables = tables};
    for (unsigned i = 0; i < definitions->reports; i++) {
        reports->table[i] = tables_get(tables, &definitions->report[i].table, why);
        if (reports->table[i] == NULL)
            return false;
    }
    return true;
}

static bool is_bounded(const struct report *report) {
    for (unsigned i = 0; i < report->measures; i++) {
        if (report->measure[i].kind->fits != NULL)
            return true;
    }
    return false;
}

struct adder *adder_new(const struct reports *reports, unsigned worker) {
    struct adder *adder = calloc(1, sizeof *adder);
    if (adder == NULL)
        return NULL;
    adder->reports = reports;
    adder->undo = tables_undo(reports->tables, worker);
    adder->n = reports->definitions->reports;
    for (unsigned i = 0; i < adder->n; i++) {
        struct adder_report *its = &adder->report[i];
        its->report = &reports->definitions->report[i];
        its->table = reports->table[i];
        its->bounded = is_bounded(its->report);
        for (unsigned k = 0; k < its->report->table.widths; k++)
            its->section[k] = table_section(its->table, worker, k);
    }
    return adder;
}

void adder_free(struct adder *adder) {
    free(adder);
}

/* ---- any thread ---- */

uint64_t adder_unfit(const struct adder *adder, unsigned report, unsigned field) {
    return atomic_load_explicit(&adder->unfit[report][field], memory_order_relaxed);
}

uint64_t adder_gone(const struct adder *adder, unsigned report) {
    return atomic_load_explicit(&adder->gone[report], memory_order_relaxed);
}

/* ---- the owner ---- */

/* One writer: no lock prefix. */
static void count_owner(_Atomic uint64_t *counter) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

void adder_set_now_owner(struct adder *adder, int64_t now_us) {
    for (unsigned i = 0; i < adder->n; i++) {
        const struct adder_report *its = &adder->report[i];
        for (unsigned k = 0; k < its->report->table.widths; k++)
            table_set_now_owner(its->section[k], now_us);
    }
}

/* Fields that kept the event out of a report. */
static void note_unfit(struct addition *addition, const struct adder_report *its, uint64_t fields) {
    struct adder *adder = addition->adder;
    addition->unfit |= fields;
    for (uint64_t left = fields; left != 0; left &= left - 1)
        count_owner(&adder->unfit[its - adder->report][__builtin_ctzll(left)]);
}

/* ---- the key ---- */

/* Puts the value of `by` field number i behind the key. False: the key is too long with it. */
static bool append_value(struct addition *addition, const struct report *report, unsigned i) {
    struct table_key *key = &addition->adder->key;
    char *bytes = addition->adder->bytes;
    const struct field *field =
        &addition->adder->reports->definitions->fields.field[report->by_field[i]];
    const struct aforo_value *value = &addition->record->value[report->by_field[i]];
    if (i > 0) {
        if (key->len == TABLE_KEY_MAX)
            return false;
        bytes[key->len++] = REPORT_KEY_SEPARATOR;
    }
    const size_t room = TABLE_KEY_MAX - key->len;
    const size_t len =
        field->type == FIELD_TEXT
            ? report_key_escape(value->text, value->len, bytes + key->len, room)
            : report_key_number(value->number, field->decimals, bytes + key->len, room);
    if (len == REPORT_KEY_FULL)
        return false;
    key->at[i] = (uint16_t)key->len;
    key->field_len[i] = (uint16_t)len;
    key->len += len;
    return true;
}

/* The event's key in a report; false: one of its values makes it too long. */
static bool make_key(struct addition *addition, const struct adder_report *its) {
    struct table_key *key = &addition->adder->key;
    key->bytes = addition->adder->bytes;
    key->len = 0;
    key->fields = its->report->by;
    for (unsigned i = 0; i < its->report->by; i++) {
        if (!append_value(addition, its->report, i)) {
            note_unfit(addition, its, UINT64_C(1) << its->report->by_field[i]);
            return false;
        }
    }
    key->hash = table_hash(its->table, key->bytes, key->len);
    return true;
}

/* ---- the measures ---- */

/* The event as a measure sees it. */
struct seen {
    struct aforo_event event;
    const struct aforo_value *argument[MEASURE_ARGUMENTS_MAX];
};

static void show_event(const struct addition *addition, const struct measure *measure,
                       struct seen *seen) {
    static const struct aforo_value absent = {.text = "", .kind = AFORO_ABSENT};
    seen->event.us = addition->us;
    seen->event.arguments = measure->arguments;
    seen->event.argument = seen->argument;
    for (unsigned i = 0; i < measure->arguments; i++) {
        const unsigned field = measure->field[i];
        seen->argument[i] = addition->fit >> field & 1 ? &addition->record->value[field] : &absent;
    }
}

static struct measure_target target_of(const struct addition *addition, const struct table_row *row,
                                       const struct measure *measure) {
    return (struct measure_target){addition->adder->undo, &row->file, row->state + measure->at};
}

/* Whether every measure takes the event in all windows; if not, it is noted whose field it is. */
static bool fits(struct addition *addition, const struct adder_report *its,
                 const struct table_row row[TABLE_WIDTHS_MAX]) {
    for (unsigned i = 0; i < its->report->measures; i++) {
        const struct measure *measure = &its->report->measure[i];
        struct seen seen;
        if (measure->kind->fits == NULL)
            continue;
        show_event(addition, measure, &seen);
        for (unsigned k = 0; k < its->report->table.widths; k++) {
            const struct measure_target target = target_of(addition, &row[k], measure);
            if (!measure->kind->fits(measure, &target, &seen.event)) {
                note_unfit(addition, its, UINT64_C(1) << measure->field[0]);
                return false;
            }
        }
    }
    return true;
}

static void add_measures(struct addition *addition, const struct adder_report *its,
                         const struct table_row row[TABLE_WIDTHS_MAX]) {
    for (unsigned i = 0; i < its->report->measures; i++) {
        const struct measure *measure = &its->report->measure[i];
        struct seen seen;
        show_event(addition, measure, &seen);
        for (unsigned k = 0; k < its->report->table.widths; k++) {
            const struct measure_target target = target_of(addition, &row[k], measure);
            measure->kind->add(measure, &target, &seen.event);
        }
    }
}

/* ---- the event ---- */

/* The rows of all widths, touched. False: a window is gone. */
static bool touch_rows(struct addition *addition, const struct adder_report *its,
                       struct table_row row[TABLE_WIDTHS_MAX]) {
    struct adder *adder = addition->adder;
    const struct table_config *table = &its->report->table;
    for (unsigned k = 0; k < table->widths; k++) {
        if (!table_touch_owner(its->section[k], adder->undo,
                               table_window(table->width_us[k], addition->us),
                               table->keyed ? &adder->key : NULL, &row[k])) {
            count_owner(&adder->gone[its - adder->report]);
            return false;
        }
    }
    return true;
}

/* Takes back what this report has changed since the transaction had `entries` notes. */
static void put_back(struct addition *addition, const struct adder_report *its, uint32_t entries) {
    for (unsigned k = 0; k < its->report->table.widths; k++)
        table_put_back_owner(its->section[k], addition->adder->undo, entries);
}

static void add_to_report(struct addition *addition, const struct adder_report *its) {
    struct undo *undo = addition->adder->undo;
    const struct report *report = its->report;
    struct table_row row[TABLE_WIDTHS_MAX];
    if (report->when != NULL && !condition_holds(report->when, addition->record))
        return;
    const uint64_t missing = report->needs & ~addition->fit;
    if (missing != 0) {
        note_unfit(addition, its, missing);
        return;
    }
    if (report->table.keyed && !make_key(addition, its))
        return;
    if (!addition->begun)
        undo_begin_owner(undo);
    addition->begun = true;
    const uint32_t entries = undo->entries;
    if (touch_rows(addition, its, row) && (!its->bounded || fits(addition, its, row)))
        add_measures(addition, its, row);
    else
        put_back(addition, its, entries);
}

/* All reports, and the commit; the dense windows are the caller's. */
static uint64_t add_to_reports(struct adder *adder, const struct record *record, int64_t us,
                               const struct shard_next *next) {
    struct addition addition = {
        .adder = adder, .record = record, .us = us, .fit = record->present & ~record->unfit};
    for (unsigned i = 0; i < adder->n; i++)
        add_to_report(&addition, &adder->report[i]);
    if (addition.begun)
        undo_commit_owner(adder->undo,
                          &(const struct undo_count){next->shard, next->window, next->count});
    return addition.unfit;
}

enum shard_verdict adder_add_owner(struct adder *adder, struct shard *shard,
                                   const struct record *record, uint64_t *unfit) {
    struct shard_next next;
    const enum shard_verdict verdict = shard_look_owner(shard, record->us, &next);
    if (verdict != SHARD_COUNTED)
        return verdict;
    *unfit |= add_to_reports(adder, record, record->us, &next);
    return shard_add_owner(shard, record->us);
}

void adder_add_arrival_owner(struct adder *adder, struct shard *shard, const struct record *record,
                             int64_t arrival_us, uint64_t *unfit) {
    struct shard_next next;
    const int64_t held_us = shard_look_arrival_owner(shard, arrival_us, &next);
    *unfit |= add_to_reports(adder, record, held_us, &next);
    shard_add_arrival_owner(shard, arrival_us);
}
