/* Rows of reports from the state of a server on this machine, whether it runs or not: each table
 * carries its definition. */
#include "counters/counters.h"
#include "counters/rows/tables.h"
#include "tools/console/report_definitions.h"
#include "tools/console/source_state.h"
#include "view/report_table.h"

#include <stdio.h>
#include <stdlib.h>

/* What is open while a question is answered. */
struct state_reports {
    struct tables *tables;
    struct held_reports reports;
    struct report_table source;
};

static void close_tables(struct state_reports *state) {
    if (state != NULL) {
        held_reports_free(&state->reports);
        tables_close(state->tables);
    }
    free(state);
}

/* False when out of memory. */
static bool add_tables(struct state_reports *state) {
    bool well = true;
    for (size_t i = 0; i < tables_count(state->tables) && well; i++) {
        const struct table *table = tables_at(state->tables, i);
        const struct table_config *config = table_config(table);
        char name[REPORT_FULL_NAME_MAX];
        snprintf(name, sizeof name, "%s.%s", config->name, config->digest);
        well = held_reports_add(&state->reports, name, config->definition, config->definition_len,
                                table);
    }
    return well;
}

/* Opens the tables anew for each question, as the counts: a server that was started meanwhile may
 * have other tables. */
static struct state_reports *open_tables(const struct source *source, char *why) {
    const char *dir = source_state_dir(source);
    char sentence[COUNTERS_WHY_MAX];
    bool none = false;
    struct state_reports *state = calloc(1, sizeof *state);
    if (state == NULL) {
        snprintf(why, SOURCE_WHY_MAX, "out of memory");
        return NULL;
    }
    state->tables = tables_open_readonly(dir, &none, sentence);
    if (state->tables == NULL) {
        if (none)
            snprintf(why, SOURCE_WHY_MAX,
                     "state %.200s has no reports; a server counts them with --reports FILE", dir);
        else
            snprintf(why, SOURCE_WHY_MAX, "%.500s", sentence);
        close_tables(state);
        return NULL;
    }
    if (!add_tables(state)) {
        snprintf(why, SOURCE_WHY_MAX, "out of memory");
        close_tables(state);
        return NULL;
    }
    return state;
}

static bool open_reader(void *cls, const struct held_report *held, unsigned width,
                        struct report_reader *reader) {
    struct state_reports *state = cls;
    state->source = (struct report_table){&held->definitions->report[0], held->table, width};
    *reader = report_table_reader(&state->source);
    return true;
}

static enum report_outcome read_rows(struct source *source, const struct report_words *words,
                                     const struct text_taker *taker, char why[SOURCE_WHY_MAX]) {
    struct counters *counters = counters_open_readonly(source_state_dir(source), why);
    if (counters == NULL)
        return REPORT_AWAY;
    const int64_t horizon_us = counters_horizon_us(counters);
    counters_close(counters);
    struct state_reports *state = open_tables(source, why);
    if (state == NULL)
        return REPORT_AWAY;
    const struct report_opener opener = {open_reader, state, horizon_us, why};
    const enum report_outcome outcome = held_reports_rows(&state->reports, words, &opener, taker);
    close_tables(state);
    return outcome;
}

static enum report_outcome list_reports(struct source *source, enum rows_format format,
                                        const struct text_taker *taker, char why[SOURCE_WHY_MAX]) {
    struct state_reports *state = open_tables(source, why);
    if (state == NULL)
        return REPORT_AWAY;
    const enum report_outcome outcome = held_reports_list(&state->reports, format, taker, why);
    close_tables(state);
    return outcome;
}

const struct report_ops report_state_ops = {.rows = read_rows, .list = list_reports};
