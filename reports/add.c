/* See add.h. An event is one transaction over the rows of all its reports: what its shard would
 * count is looked at, the rows are changed, the transaction is committed with that count, and the
 * shard counts. A report that the event turns out not to fit is put back, within the transaction.
 */
#include "reports/add.h"

#include "reports/canonical.h"
#include "reports/read.h"

#include <stdlib.h>

/* What each event is asked of a measure, close together. */
struct adder_measure {
    const struct measure *measure;
    void (*add)(const struct measure *, const struct measure_target *, const struct aforo_event *);
    bool (*fits)(const struct measure *, const struct measure_target *, const struct aforo_event *);
    uint32_t at; /* of its state in a row */
    uint8_t arguments, field;
    bool wants_many; /* several fields, or such as the report does not need */
    bool wants_text; /* of its only field, which is a number */
};

/* A `by` field. */
struct adder_by {
    uint8_t field, decimals;
    bool is_text;
};

/* The rows of one width. */
struct adder_width {
    struct table_section *section;
    int64_t width_us, window, start_us; /* the window of the event before */
};

/* A report, for one worker. */
struct adder_report {
    const struct table *table;
    const struct condition *when;
    uint64_t needs, looks; /* bit i: at field i; by measures and `by`, and by `when` */
    unsigned by, widths, measures, bounded;
    struct adder_by by_field[TABLE_FIELDS_MAX];
    struct adder_width width[TABLE_WIDTHS_MAX];
    struct adder_measure measure[REPORT_MEASURES_MAX];
    uint8_t bounded_measure[REPORT_MEASURES_MAX]; /* [bounded]: those that do not fit every event */
};

struct adder {
    struct undo *undo;
    struct tables *tables;
    unsigned n, worker, writer; /* the writer that the worker is */
    struct adder_report report[REPORTS_MAX];
    /* the event's key in the report that is being added to */
    struct table_key key;
    char bytes[TABLE_KEY_MAX];
    struct canonical canonical;
    uint8_t decimals[FIELDS_MAX]; /* of numbers; NO_NUMBER of text */
    uint32_t left_out;            /* bit r: the event before was kept out of report r by a field */
    struct left_out why[REPORTS_MAX];
    _Atomic uint64_t unfit[REPORTS_MAX][FIELDS_MAX], gone[REPORTS_MAX];
};

_Static_assert(REPORTS_MAX <= 32, "a bit for each");

#define NO_NUMBER 0xff

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

static void plan_measures(struct adder_report *its, const struct fields_config *fields,
                          const struct report *report) {
    its->measures = report->measures;
    for (unsigned i = 0; i < report->measures; i++) {
        const struct measure *measure = &report->measure[i];
        its->measure[i] = (struct adder_measure){
            .measure = measure,
            .add = measure->kind->add,
            .fits = measure->kind->fits,
            .at = (uint32_t)measure->at,
            .arguments = (uint8_t)measure->arguments,
            .field = measure->field[0],
            .wants_many = measure->arguments > 1 || measure->kind->wants == MEASURE_WANTS_ALL,
            .wants_text = measure->arguments == 1 && measure->kind->wants != MEASURE_WANTS_NUMBER &&
                          fields->field[measure->field[0]].type != FIELD_TEXT};
        if (measure->kind->fits != NULL)
            its->bounded_measure[its->bounded++] = (uint8_t)i;
    }
}

static void plan_report(struct adder_report *its, const struct fields_config *fields,
                        const struct report *report) {
    its->when = report->when;
    its->needs = report->needs;
    its->looks = report->when ? condition_fields(report->when) : 0;
    its->by = report->by;
    for (unsigned i = 0; i < report->by; i++) {
        const struct field *field = &fields->field[report->by_field[i]];
        its->by_field[i] = (struct adder_by){.field = report->by_field[i],
                                             .decimals = (uint8_t)field->decimals,
                                             .is_text = field->type == FIELD_TEXT};
    }
    plan_measures(its, fields, report);
}

/* Goes on in the sections of another writer. */
static void bind_writer(struct adder *adder, unsigned writer) {
    adder->writer = writer;
    adder->undo = tables_undo(adder->tables, writer);
    for (unsigned i = 0; i < adder->n; i++) {
        struct adder_report *its = &adder->report[i];
        for (unsigned k = 0; k < its->widths; k++)
            its->width[k].section = table_section(its->table, writer, k);
    }
}

struct adder *adder_new(const struct reports *reports, unsigned worker) {
    const struct definitions *definitions = reports->definitions;
    struct adder *adder = calloc(1, sizeof *adder);
    if (adder == NULL)
        return NULL;
    adder->tables = reports->tables;
    adder->worker = worker;
    adder->n = definitions->reports;
    for (unsigned i = 0; i < definitions->fields.n; i++) {
        const struct field *field = &definitions->fields.field[i];
        adder->decimals[i] = field->type == FIELD_TEXT ? NO_NUMBER : (uint8_t)field->decimals;
    }
    for (unsigned i = 0; i < adder->n; i++) {
        const struct report *report = &definitions->report[i];
        struct adder_report *its = &adder->report[i];
        plan_report(its, &definitions->fields, report);
        its->table = reports->table[i];
        its->widths = report->table.widths;
        for (unsigned k = 0; k < its->widths; k++) {
            its->width[k] = (struct adder_width){.width_us = report->table.width_us[k]};
        }
    }
    bind_writer(adder, tables_writer(adder->tables, worker));
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

const struct left_out *adder_left_out_owner(const struct adder *adder, unsigned report) {
    return adder->left_out >> report & 1 ? &adder->why[report] : NULL;
}

/* ---- the owner ---- */

/* One writer: no lock prefix. */
static void count_owner(_Atomic uint64_t *counter) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

enum tables_move adder_set_now_owner(struct adder *adder, int64_t now_us) {
    const enum tables_move move = tables_set_now_owner(adder->tables, adder->worker, now_us);
    /* or the worker moved with an adder of definitions that are no longer in force */
    const unsigned writer = tables_writer(adder->tables, adder->worker);
    if (__builtin_expect(writer != adder->writer, 0))
        bind_writer(adder, writer);
    for (unsigned i = 0; i < adder->n; i++) {
        for (unsigned k = 0; k < adder->report[i].widths; k++)
            table_set_now_owner(adder->report[i].width[k].section, now_us);
    }
    return move;
}

/* Fields that kept the event out of a report. */
static void note_unfit(struct addition *addition, const struct adder_report *its,
                       const struct left_out *why) {
    struct adder *adder = addition->adder;
    const uint64_t fields = why->fields;
    addition->unfit |= fields;
    adder->left_out |= UINT32_C(1) << (its - adder->report);
    adder->why[its - adder->report] = *why;
    for (uint64_t left = fields; left != 0; left &= left - 1)
        count_owner(&adder->unfit[its - adder->report][__builtin_ctzll(left)]);
}

/* ---- the key ---- */

/* Puts the value of `by` field number i behind the key. False: the key is too long with it. */
static bool append_value(struct addition *addition, const struct adder_by *by, unsigned i) {
    struct table_key *key = &addition->adder->key;
    char *bytes = addition->adder->bytes;
    const struct aforo_value *value = &addition->record->value[by->field];
    if (i > 0) {
        if (key->len == TABLE_KEY_MAX)
            return false;
        bytes[key->len++] = REPORT_KEY_SEPARATOR;
    }
    const size_t room = TABLE_KEY_MAX - key->len;
    const size_t len = by->is_text
                           ? report_key_escape(value->text, value->len, bytes + key->len, room)
                           : report_key_number(value->number, by->decimals, bytes + key->len, room);
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
    key->fields = its->by;
    for (unsigned i = 0; i < its->by; i++) {
        if (!append_value(addition, &its->by_field[i], i)) {
            note_unfit(addition, its,
                       &(const struct left_out){.fields = UINT64_C(1) << its->by_field[i].field,
                                                .key_too_long = true});
            return false;
        }
    }
    key->hash = table_hash(its->table, key->bytes, key->len);
    return true;
}

/* ---- the measures ---- */

/* The event as measures see it. */
struct seen {
    struct aforo_event event;
    const struct aforo_value *one; /* the argument of a measure of one field */
    /* those of a measure of several, and whose they are */
    const struct aforo_value *many[MEASURE_ARGUMENTS_MAX];
    const struct adder_measure *many_of;
};

/* The value of a field that is fit, with one text for each number. */
static const struct aforo_value *get_canonical(const struct addition *addition, unsigned field) {
    struct adder *adder = addition->adder;
    const struct aforo_value *value = &addition->record->value[field];
    return adder->decimals[field] == NO_NUMBER
               ? value
               : canonical_value(&adder->canonical, field, adder->decimals[field], value);
}

/* Several fields, of which the report may need only some: others may not be fit. */
static void gather_many(const struct addition *addition, const struct adder_measure *measure,
                        struct seen *seen) {
    static const struct aforo_value absent = {.text = "", .kind = AFORO_ABSENT};
    for (unsigned i = 0; i < measure->arguments; i++) {
        const unsigned field = measure->measure->field[i];
        seen->many[i] = addition->fit >> field & 1 ? get_canonical(addition, field) : &absent;
    }
    seen->many_of = measure;
}

/* Turns the event to a measure. */
static inline void show(const struct addition *addition, const struct adder_measure *measure,
                        struct seen *seen) {
    seen->one = &addition->record->value[measure->field];
    seen->event.arguments = measure->arguments;
    seen->event.argument = &seen->one;
    if (__builtin_expect(measure->wants_text, 0))
        seen->one = get_canonical(addition, measure->field);
    if (__builtin_expect(measure->wants_many, 0)) {
        if (seen->many_of != measure)
            gather_many(addition, measure, seen);
        seen->event.argument = seen->many;
    }
}

/* Whether every measure takes the event in all windows; if not, it is noted whose field it is. */
static bool fits(struct addition *addition, const struct adder_report *its, struct seen *seen,
                 const struct table_row row[TABLE_WIDTHS_MAX]) {
    for (unsigned i = 0; i < its->bounded; i++) {
        const struct adder_measure *measure = &its->measure[its->bounded_measure[i]];
        show(addition, measure, seen);
        for (unsigned k = 0; k < its->widths; k++) {
            const struct measure_target target = {addition->adder->undo, &row[k].file,
                                                  row[k].state + measure->at};
            if (!measure->fits(measure->measure, &target, &seen->event)) {
                note_unfit(addition, its,
                           &(const struct left_out){.fields = UINT64_C(1) << measure->field,
                                                    .measure = measure->measure});
                return false;
            }
        }
    }
    return true;
}

static void add_measures(const struct addition *addition, const struct adder_report *its,
                         struct seen *seen, const struct table_row row[TABLE_WIDTHS_MAX]) {
    const struct adder_measure *const end = its->measure + its->measures;
    for (unsigned k = 0; k < its->widths; k++) {
        struct measure_target target = {.undo = addition->adder->undo, .file = &row[k].file};
        for (const struct adder_measure *measure = its->measure; measure < end; measure++) {
            target.state = row[k].state + measure->at;
            show(addition, measure, seen);
            measure->add(measure->measure, &target, &seen->event);
        }
    }
}

/* ---- the event ---- */

/* The window of an event. Most are of the window that the one before was of: no division. */
static int64_t find_window(struct adder_width *width, int64_t us) {
    if ((uint64_t)(us - width->start_us) >= (uint64_t)width->width_us) {
        width->window = table_window(width->width_us, us);
        width->start_us = width->window * width->width_us;
    }
    return width->window;
}

/* The rows of all widths, touched. False: a window is gone. */
static bool touch_rows(struct addition *addition, struct adder_report *its,
                       struct table_row row[TABLE_WIDTHS_MAX]) {
    struct adder *adder = addition->adder;
    const struct table_key *key = its->by > 0 ? &adder->key : NULL;
    unsigned k = 0;
    do {
        struct adder_width *width = &its->width[k];
        if (!table_touch_owner(width->section, adder->undo, find_window(width, addition->us), key,
                               &row[k])) {
            count_owner(&adder->gone[its - adder->report]);
            return false;
        }
    } while (++k < its->widths);
    return true;
}

/* Takes back what this report has changed since the transaction had `entries` notes. */
static void put_back(struct addition *addition, const struct adder_report *its, uint32_t entries) {
    for (unsigned k = 0; k < its->widths; k++)
        table_put_back_owner(its->width[k].section, addition->adder->undo, entries);
}

static void add_to_report(struct addition *addition, struct adder_report *its) {
    struct undo *undo = addition->adder->undo;
    struct table_row row[TABLE_WIDTHS_MAX];
    struct seen seen;
    /* whether it is about an event whose field is of another type nobody can tell */
    const uint64_t doubtful = its->looks & addition->record->unfit;
    const uint64_t missing = doubtful != 0 ? doubtful : its->needs & ~addition->fit;
    if (missing != 0) {
        note_unfit(addition, its, &(const struct left_out){.fields = missing});
        return;
    }
    if (its->by > 0 && !make_key(addition, its))
        return;
    if (!addition->begun)
        undo_begin_owner(undo);
    addition->begun = true;
    const uint32_t entries = undo->entries;
    seen.event.us = addition->us;
    seen.many_of = NULL;
    if (touch_rows(addition, its, row) && fits(addition, its, &seen, row))
        add_measures(addition, its, &seen, row);
    else
        put_back(addition, its, entries);
}

/* Bit i: report i is about such events, or would be, were a field of `when` of its type. */
static uint32_t find_reports(const struct adder *adder, const struct record *record) {
    uint32_t meant = 0;
    for (unsigned i = 0; i < adder->n; i++) {
        const struct adder_report *its = &adder->report[i];
        meant |= (uint32_t)(its->when == NULL || (its->looks & record->unfit) != 0 ||
                            condition_holds(its->when, record))
                 << i;
    }
    return meant;
}

/* The reports, and the commit; the dense windows are the caller's. Returns the unfit fields. */
static uint64_t add_to_reports(struct addition *addition, uint32_t meant,
                               const struct shard_next *next) {
    struct adder *adder = addition->adder;
    addition->fit = addition->record->present & ~addition->record->unfit;
    adder->left_out = 0;
    for (; meant != 0; meant &= meant - 1)
        add_to_report(addition, &adder->report[__builtin_ctz(meant)]);
    if (addition->begun)
        undo_commit_owner(adder->undo,
                          &(const struct undo_count){next->shard, next->window, next->count});
    return addition->unfit;
}

enum shard_verdict adder_add_owner(struct adder *adder, struct shard *shard,
                                   const struct record *record, uint64_t *unfit) {
    const uint32_t meant = find_reports(adder, record);
    if (meant != 0) {
        struct addition addition = {.adder = adder, .record = record, .us = record->us};
        struct shard_next next;
        const enum shard_verdict verdict = shard_look_owner(shard, record->us, &next);
        if (verdict != SHARD_COUNTED)
            return verdict;
        *unfit |= add_to_reports(&addition, meant, &next);
    }
    return shard_add_owner(shard, record->us);
}

void adder_add_arrival_owner(struct adder *adder, struct shard *shard, const struct record *record,
                             int64_t arrival_us, uint64_t *unfit) {
    const uint32_t meant = find_reports(adder, record);
    if (meant != 0) {
        struct addition addition = {.adder = adder, .record = record};
        struct shard_next next;
        addition.us = shard_look_arrival_owner(shard, arrival_us, &next);
        *unfit |= add_to_reports(&addition, meant, &next);
    }
    shard_add_arrival_owner(shard, arrival_us);
}
