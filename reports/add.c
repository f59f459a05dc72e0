/* See add.h. An event is one transaction over the rows of all its reports: look up what its shard
 * would count, change the rows, commit with that count, and count in the shard. If the event turns
 * out not to fit a report, its changes there are put back within the transaction. */
#include "reports/adder.h"

#include <stdlib.h>

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

static void bind_measure(struct adder_measure *its, const struct fields_config *fields,
                         const struct measure *measure) {
    *its = (struct adder_measure){
        .measure = measure,
        .plan = measure->kind->plan,
        .at = (uint32_t)measure->at,
        .arguments = (uint8_t)measure->arguments,
        .field = measure->field[0],
        .wants_many = measure->arguments > 1 || measure->kind->wants == MEASURE_WANTS_ALL,
        .wants_text = measure->arguments == 1 && measure->kind->wants != MEASURE_WANTS_NUMBER &&
                      fields->field[measure->field[0]].type != FIELD_TEXT};
    its->plain = !its->wants_many && !its->wants_text;
}

/* The order of measures in a report. */
enum order { PLANS, ADDS, GROWS, ORDERS };

static enum order order_of(const struct measure_kind *kind) {
    return kind->grows != MEASURE_GROWS_NOT ? GROWS : kind->plan != NULL ? PLANS : ADDS;
}

static void bind_growth(struct adder_report *its, const struct measure *measure) {
    its->growth[its->growths++] =
        (struct adder_growth){.at = (uint32_t)measure->at,
                              .field = measure->field[0],
                              .by_one = measure->kind->grows == MEASURE_GROWS_BY_ONE};
}

static void bind_measures(struct adder_report *its, const struct fields_config *fields,
                          const struct report *report) {
    its->notes = TABLE_TOUCH_NOTES * report->table.widths;
    for (enum order order = PLANS; order < ORDERS; order++) {
        for (unsigned i = 0; i < report->measures; i++) {
            const struct measure *measure = &report->measure[i];
            if (order_of(measure->kind) != order)
                continue;
            bind_measure(&its->measure[its->all++], fields, measure);
            its->notes += measure->kind->puts(measure) * report->table.widths;
            if (order == GROWS)
                bind_growth(its, measure);
        }
        its->planned = order == PLANS ? its->all : its->planned;
        its->measures = order == ADDS ? its->all : its->measures;
    }
}

static void bind_fields(struct adder_report *its, const struct fields_config *fields,
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
    bind_measures(its, fields, report);
}

static bool bind_report(struct adder *adder, unsigned i, const struct reports *reports) {
    const struct report *report = &reports->definitions->report[i];
    struct adder_report *its = &adder->report[i];
    bind_fields(its, &reports->definitions->fields, report);
    its->table = reports->table[i];
    its->widths = report->table.widths;
    for (unsigned k = 0; k < its->widths; k++)
        its->width[k] = (struct adder_width){.width_us = report->table.width_us[k]};
    adder->always |= (uint32_t)(its->when == NULL) << i;
    adder->asked |= (uint32_t)(its->when != NULL) << i;
    return its->by == 0 || recent_make(&its->recent, its->widths);
}

/* Switches to the sections of another writer. */
static void bind_writer(struct adder *adder, unsigned writer) {
    adder->writer = writer;
    adder->undo = tables_undo(adder->tables, writer);
    for (unsigned i = 0; i < adder->n; i++) {
        struct adder_report *its = &adder->report[i];
        for (unsigned k = 0; k < its->widths; k++) {
            its->width[k].section = table_section(its->table, writer, k);
            its->width[k].base = (struct table_row){0};
        }
        if (its->by > 0)
            recent_forget(&its->recent);
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
    adder->change = calloc(definitions->puts + 1, sizeof *adder->change);
    bool made = adder->change != NULL;
    for (unsigned i = 0; made && i < adder->n; i++)
        made = bind_report(adder, i, reports);
    if (!made) {
        adder_free(adder);
        return NULL;
    }
    bind_writer(adder, tables_writer(adder->tables, worker));
    return adder;
}

void adder_free(struct adder *adder) {
    for (unsigned i = 0; adder != NULL && i < adder->n; i++)
        recent_free(&adder->report[i].recent);
    if (adder != NULL)
        free(adder->change);
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

/* There is one writer, so no lock prefix is needed. */
static void count_owner(_Atomic uint64_t *counter) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

enum tables_move adder_set_now_owner(struct adder *adder, int64_t now_us) {
    const enum tables_move move = tables_set_now_owner(adder->tables, adder->worker, now_us);
    /* or the worker moved while it used an adder of definitions no longer in force */
    const unsigned writer = tables_writer(adder->tables, adder->worker);
    if (__builtin_expect(writer != adder->writer, 0))
        bind_writer(adder, writer);
    for (unsigned i = 0; i < adder->n; i++) {
        for (unsigned k = 0; k < adder->report[i].widths; k++)
            table_set_now_owner(adder->report[i].width[k].section, now_us);
    }
    return move;
}

void adder_note_unfit(struct addition *addition, const struct adder_report *its,
                      const struct left_out *why) {
    struct adder *adder = addition->adder;
    const uint64_t fields = why->fields;
    addition->unfit |= fields;
    adder->left_out |= UINT32_C(1) << (its - adder->report);
    adder->why[its - adder->report] = *why;
    for (uint64_t left = fields; left != 0; left &= left - 1)
        count_owner(&adder->unfit[its - adder->report][__builtin_ctzll(left)]);
}

/* ---- the measures ---- */

/* The event in the form that measures get it. */
struct seen {
    struct aforo_event event;
    const struct aforo_value *one; /* the argument of a measure of one field */
    /* arguments of a measure of several fields, and whose they are */
    const struct aforo_value *many[MEASURE_ARGUMENTS_MAX];
    const struct adder_measure *many_of;
};

/* The value of a field that is fit; a number has its canonical text. */
static const struct aforo_value *get_canonical(const struct addition *addition, unsigned field) {
    struct adder *adder = addition->adder;
    const struct aforo_value *value = &addition->record->value[field];
    return adder->decimals[field] == NO_NUMBER
               ? value
               : canonical_value(&adder->canonical, field, adder->decimals[field], value);
}

/* Collects several fields. The report may need only some of them: others may be unfit. */
static void gather_many(const struct addition *addition, const struct adder_measure *measure,
                        struct seen *seen) {
    static const struct aforo_value absent = {.text = "", .kind = AFORO_ABSENT};
    for (unsigned i = 0; i < measure->arguments; i++) {
        const unsigned field = measure->measure->field[i];
        seen->many[i] = addition->fit >> field & 1 ? get_canonical(addition, field) : &absent;
    }
    seen->many_of = measure;
}

/* Sets up the event's arguments for a measure. */
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

/* By how much the words of a row grow: [growth, end). */
struct growths {
    const struct measure_growth *growth, *end;
};

/* Notes their words in a row for undo. At least 2^53 when one of them would reach that. */
static inline uint64_t note_growths(struct undo_notes *notes, const struct growths *growths,
                                    const word *state) {
    uint64_t all = 0;
    for (const struct measure_growth *its = growths->growth; its < growths->end; its++)
        all |= undo_note_word_owner(notes, state, its->word) + its->by;
    return all;
}

static inline void store_growths(const struct growths *growths, word *state) {
    for (const struct measure_growth *its = growths->growth; its < growths->end; its++) {
        word *at = &state[its->word];
        atomic_store_explicit(at, measure_load(at) + its->by, memory_order_relaxed);
    }
}

/* Computes the growths; their words are offsets in the row's state. */
static inline struct growths find_growths(const struct addition *addition,
                                          const struct adder_report *its,
                                          struct measure_growth growth[REPORT_MEASURES_MAX]) {
    const struct aforo_value *const value = addition->record->value;
    const struct adder_growth *const end = its->growth + its->growths;
    struct measure_growth *next = growth;
    for (const struct adder_growth *grows = its->growth; grows < end; grows++, next++) {
        *next = measure_growth(grows->by_one ? 1 : value[grows->field].number);
        next->word += grows->at;
    }
    return (struct growths){growth, next};
}

/* Appends the changes of the other measures that plan; false: the event does not fit. */
static bool plan_measures(const struct addition *addition, const struct adder_report *its,
                          struct seen *seen, struct measure_rows *rows,
                          struct undo_changes *changes) {
    const struct adder_measure *const end = its->measure + its->planned;
    const struct aforo_value *const value = addition->record->value;
    struct undo_change *change = changes->change;
    for (const struct adder_measure *measure = its->measure; measure < end; measure++) {
        if (__builtin_expect(measure->plain, 1)) {
            seen->one = &value[measure->field];
            seen->event.argument = &seen->one;
        } else {
            show(addition, measure, seen);
        }
        rows->at = measure->at;
        change = measure->plan(measure->measure, &seen->event, rows, change);
        if (__builtin_expect(change == NULL, 0))
            return false;
    }
    changes->n = (size_t)(change - changes->change);
    return true;
}

/* Adds the event to the measures that cannot plan. */
static void add_measures(const struct addition *addition, const struct adder_report *its,
                         struct seen *seen, const struct table_row *const *row) {
    for (unsigned i = its->planned; i < its->measures; i++) {
        const struct adder_measure *measure = &its->measure[i];
        show(addition, measure, seen);
        for (unsigned k = 0; k < its->widths; k++) {
            const struct measure_target target = {addition->adder->undo, row[k]->file,
                                                  row[k]->state + measure->at};
            measure->measure->kind->add(measure->measure, &target, &seen->event);
        }
    }
}

/* Notes which field kept the event out: that of the report's first measure that it does not fit. */
static __attribute__((noinline)) void note_refusing(struct addition *addition,
                                                    const struct adder_report *its,
                                                    struct seen *seen, struct measure_rows *rows) {
    const struct adder_measure *first = NULL;
    for (const struct adder_measure *measure = its->measure; measure < its->measure + its->all;
         measure++) {
        if (measure->plan == NULL || (first != NULL && first->measure < measure->measure))
            continue;
        show(addition, measure, seen);
        rows->at = measure->at;
        if (measure->plan(measure->measure, &seen->event, rows, addition->adder->change) == NULL)
            first = measure;
    }
    if (first != NULL)
        adder_note_unfit(addition, its,
                         &(const struct left_out){.fields = UINT64_C(1) << first->field,
                                                  .measure = first->measure});
}

/* Changes the rows found. False: the event does not fit, and nothing was changed. */
static bool change_rows(struct addition *addition, const struct adder_report *its,
                        const struct table_row *const *row) {
    struct undo *undo = addition->adder->undo;
    struct undo_changes changes = {.change = addition->adder->change};
    struct undo_notes notes = undo_notes_begin_owner(undo, row[0]->file, its->notes);
    struct measure_growth growth[REPORT_MEASURES_MAX];
    const struct growths growths = find_growths(addition, its, growth);
    const unsigned widths = its->widths;
    struct measure_rows rows;
    struct seen seen;
    uint64_t all = 0;
    rows.n = widths;
    seen.event.us = addition->us;
    seen.many_of = NULL;
    for (unsigned k = 0; k < widths; k++) {
        table_note_touch_owner(&notes, row[k]);
        all |= note_growths(&notes, &growths, row[k]->state);
        rows.state[k] = row[k]->state;
    }
    if (__builtin_expect(all >= (uint64_t)MEASURE_SUM_END, 0) ||
        __builtin_expect(!plan_measures(addition, its, &seen, &rows, &changes), 0)) {
        note_refusing(addition, its, &seen, &rows);
        return false;
    }
    undo_note_changes_owner(&notes, &changes);
    undo_notes_end_owner(undo, &notes);
    table_store_touch_owner(undo, row, widths);
    for (unsigned k = 0; k < widths; k++)
        store_growths(&growths, row[k]->state);
    undo_store_changes_owner(&changes);
    if (its->planned < its->measures)
        add_measures(addition, its, &seen, row);
    return true;
}

/* ---- the event ---- */

/* Restores what this report has changed since the transaction had `entries` undo notes. */
static void put_back(struct addition *addition, const struct adder_report *its, uint32_t entries) {
    const bool changed = addition->adder->undo->entries > entries;
    for (unsigned k = 0; changed && k < its->widths; k++)
        table_put_back_owner(its->width[k].section, addition->adder->undo, entries);
}

static void add_to_report(struct addition *addition, struct adder_report *its) {
    struct undo *undo = addition->adder->undo;
    struct adder_rows rows;
    /* with a field of another type, nobody can tell whether the condition holds */
    const uint64_t doubtful = its->looks & addition->record->unfit;
    const uint64_t missing = doubtful != 0 ? doubtful : its->needs & ~addition->fit;
    if (missing != 0) {
        adder_note_unfit(addition, its, &(const struct left_out){.fields = missing});
        return;
    }
    if (!addition->begun)
        undo_begin_owner(undo);
    addition->begun = true;
    const uint32_t entries = undo->entries;
    if (!adder_find_rows(addition, its, &rows) || !change_rows(addition, its, rows.row))
        put_back(addition, its, entries);
    else if (rows.searched != 0 && rows.slot != NULL)
        adder_keep_rows(addition->adder, its, &rows);
}

/* Bit i: report i takes such events, or might if a field of `when` were of its type. */
static uint32_t find_reports(const struct adder *adder, const struct record *record) {
    uint32_t meant = adder->always;
    for (uint32_t asked = adder->asked; asked != 0; asked &= asked - 1) {
        const unsigned i = (unsigned)__builtin_ctz(asked);
        const struct adder_report *its = &adder->report[i];
        meant |= (uint32_t)((its->looks & record->unfit) != 0 || condition_holds(its->when, record))
                 << i;
    }
    return meant;
}

/* Counts in the reports and commits; returns the unfit fields. The caller counts the windows. */
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
        shard_add_next_owner(shard, &next);
        return SHARD_COUNTED;
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
        shard_add_next_owner(shard, &next);
        return;
    }
    shard_add_arrival_owner(shard, arrival_us);
}
