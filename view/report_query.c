/* See report_query.h. The words of a question are compared with what the report has; a mistake is
 * answered with what exists. */
#include "view/report_query.h"

#include "view/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 48 /* bytes of an unknown word that are quoted */

/* ---- sentences ---- */

/* A list of names, separated by commas. */
struct names {
    char *text;
    size_t cap, len;
};

static void add_name(struct names *names, const char *name) {
    const int n = snprintf(names->text + names->len, names->cap - names->len, "%s%s",
                           names->len > 0 ? ", " : "", name);
    const size_t room = names->cap - names->len - 1;
    names->len += n > 0 && (size_t)n < room ? (size_t)n : room;
}

/* Makes a foreign word safe to show in a sentence. */
static const char *show_word(const char *said, size_t len, char shown[SHOWN_MAX + 1]) {
    size_t n = 0;
    for (; n < SHOWN_MAX && n < len; n++) {
        shown[n] = '?';
        if (said[n] >= ' ' && said[n] <= '~') {
            shown[n] = said[n];
        }
    }
    shown[n] = '\0';
    return shown;
}

/* NAME, or NAME.DIGEST. */
static bool is_called(const struct report *report, const char *name) {
    const size_t len = strlen(report->table.name);
    return strncmp(name, report->table.name, len) == 0 &&
           (name[len] == '\0' ||
            (name[len] == '.' && strcmp(name + len + 1, report->table.digest) == 0));
}

const struct report *report_find(const struct definitions *definitions, const char *name,
                                 char why[REPORT_WHY_MAX]) {
    char list[REPORT_WHY_MAX / 2] = "", shown[SHOWN_MAX + 1];
    struct names names = {list, sizeof list, 0};
    for (unsigned i = 0; i < definitions->reports; i++) {
        const struct report *report = &definitions->report[i];
        if (is_called(report, name)) {
            return report;
        }
        add_name(&names, report->table.name);
    }
    snprintf(why, REPORT_WHY_MAX, "no report %s; %s%s", show_word(name, strlen(name), shown),
             *list ? "there are: " : "there is none", list);
    return NULL;
}

bool report_query_set_width(struct report_query *query, const char *name,
                            char why[REPORT_WHY_MAX]) {
    const struct table_config *table = &query->report->table;
    char list[TABLE_WIDTHS_MAX * 18] = "", shown[SHOWN_MAX + 1];
    struct names names = {list, sizeof list, 0};
    int64_t width_us = -1; /* 60s is 1min */
    if (!name) {
        query->width = 0;
        return true;
    }
    if (!report_width_read(name, strlen(name), &width_us)) {
        width_us = -1;
    }
    for (unsigned i = 0; i < table->widths; i++) {
        char width[16];
        report_width_name(table->width_us[i], width);
        if (table->width_us[i] == width_us) {
            query->width = i;
            return true;
        }
        add_name(&names, width);
    }
    snprintf(why, REPORT_WHY_MAX, "report %s has no window %s; there are: %s", table->name,
             show_word(name, strlen(name), shown), list);
    return false;
}

/* ---- where ---- */

static const struct field *by_field(const struct report_query *query, unsigned i) {
    return &query->fields->field[query->report->by_field[i]];
}

static bool explain_no_field(const struct report_query *query, const char *name, size_t len,
                             char why[REPORT_WHY_MAX]) {
    char list[TABLE_FIELDS_MAX * (FIELD_NAME_MAX + 2)] = "", shown[SHOWN_MAX + 1];
    struct names names = {list, sizeof list, 0};
    for (unsigned i = 0; i < query->report->by; i++) {
        add_name(&names, by_field(query, i)->name);
    }
    show_word(name, len, shown);
    if (query->report->by == 0) {
        snprintf(why, REPORT_WHY_MAX, "where: report %s is not told apart by any field",
                 query->report->table.name);
    } else {
        snprintf(why, REPORT_WHY_MAX, "where: report %s is not told apart by %s; it is by: %s",
                 query->report->table.name, shown, list);
    }
    return false;
}

static bool is_number(const char *value) {
    char *end;
    const long double number = strtold(value, &end);
    return *value && *end == '\0' && isfinite(number);
}

/* Takes a value as it is written; false: it is too long. Each byte may be written as four. */
static bool read_value(struct report_where *where, const char *written) {
    char value[4 * FIELD_TEXT_MAX + 1];
    const size_t written_len = strlen(written);
    if (written_len >= sizeof value) {
        return false;
    }
    memcpy(value, written, written_len + 1);
    const size_t len = text_unescape_cell(value, written_len);
    if (len > FIELD_TEXT_MAX) {
        return false;
    }
    memcpy(where->value, value, len);
    where->value[len] = '\0';
    where->len = len;
    return true;
}

bool report_query_add_where(struct report_query *query, const char *text,
                            char why[REPORT_WHY_MAX]) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        snprintf(why, REPORT_WHY_MAX, "where: is written FIELD=VALUE");
        return false;
    }
    const size_t name_len = (size_t)(equals - text);
    unsigned by = 0;
    while (by < query->report->by && (strlen(by_field(query, by)->name) != name_len ||
                                      memcmp(by_field(query, by)->name, text, name_len) != 0)) {
        by++;
    }
    if (by == query->report->by) {
        return explain_no_field(query, text, name_len, why);
    }
    const struct field *field = by_field(query, by);
    for (unsigned i = 0; i < query->wheres; i++) {
        if (query->where[i].by == by) {
            snprintf(why, REPORT_WHY_MAX, "where: %s is given twice, and a row has one value of it",
                     field->name);
            return false;
        }
    }
    if (field->type != FIELD_TEXT && !is_number(equals + 1)) {
        snprintf(why, REPORT_WHY_MAX, "where: %s is a number", field->name);
        return false;
    }
    struct report_where *where = &query->where[query->wheres];
    if (!read_value(where, equals + 1)) {
        snprintf(why, REPORT_WHY_MAX, "where: no value of %s has more than %d bytes", field->name,
                 FIELD_TEXT_MAX);
        return false;
    }
    where->by = by;
    query->wheres++;
    return true;
}

/* ---- by ---- */

/* Whether its values are numbers or times. */
static bool has_order(const struct report *report, const struct figure *figure) {
    const struct measure_kind *kind = report->measure[figure->measure[0]].kind;
    return kind->class != MEASURE_NEWEST && kind->wants != MEASURE_WANTS_ALL;
}

bool report_query_set_by(struct report_query *query, const char *figure, char why[REPORT_WHY_MAX]) {
    const struct report *report = query->report;
    char list[REPORT_WHY_MAX / 2] = "", shown[SHOWN_MAX + 1];
    struct names names = {list, sizeof list, 0};
    for (unsigned i = 0; i < report->figures; i++) {
        if (!has_order(report, &report->figure[i])) {
            continue;
        }
        if (!figure || strcmp(report->figure[i].text, figure) == 0) {
            query->by = i;
            return true;
        }
        add_name(&names, report->figure[i].text);
    }
    if (*list) {
        snprintf(why, REPORT_WHY_MAX, "by: report %s shows no %s to be largest; there are: %s",
                 report->table.name, show_word(figure, strlen(figure), shown), list);
    } else {
        snprintf(why, REPORT_WHY_MAX, "by: report %s shows no number to be largest",
                 report->table.name);
    }
    return false;
}

/* ---- which windows ---- */

static int64_t min_i64(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t max_i64(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The first window that starts at t_us or later. */
static int64_t find_window_from(int64_t width_us, int64_t t_us) {
    return t_us <= 0 ? 0 : (t_us - 1) / width_us + 1;
}

static bool holds_rows(const struct report_reader *reader, int64_t window, bool *any) {
    if (reader->holds) {
        return reader->holds(reader->cls, window, any);
    }
    struct report_rows rows;
    if (!reader->read(reader->cls, window, &rows)) {
        return false;
    }
    *any = rows.n > 0;
    report_rows_free(&rows);
    return true;
}

/* Finds the first window with rows from `at` on, in steps of 1 or -1, up to but excluding `end`. */
static enum query_outcome find_holding(const struct report_reader *reader, int64_t at, int64_t end,
                                       int64_t *found) {
    for (const int64_t step = at < end ? 1 : -1; at != end; at += step) {
        bool any;
        if (!holds_rows(reader, at, &any)) {
            return QUERY_FAILED;
        }
        if (any) {
            *found = at;
            return QUERY_ROWS;
        }
    }
    return QUERY_NOTHING;
}

enum query_outcome report_query_find(const struct report_query *query,
                                     const struct report_reader *reader, int64_t now_us,
                                     int64_t *first, int64_t *end) {
    const int64_t width_us = query->report->table.width_us[query->width];
    const int64_t low = max_i64(reader->oldest, find_window_from(width_us, query->from_us));
    int64_t high = min_i64(reader->newest, INT64_MAX - 1) + 1, last;
    if (query->to_us != QUERY_TO_NONE) {
        high = min_i64(high, find_window_from(width_us, query->to_us));
    }
    if (!query->partial) {
        high = min_i64(high, table_window(width_us, now_us));
    }
    if (low >= high) {
        return QUERY_NOTHING;
    }
    const enum query_outcome outcome = find_holding(reader, high - 1, low - 1, &last);
    if (outcome != QUERY_ROWS) {
        return outcome;
    }
    *end = last + 1;
    *first = query->last > 0 && query->last <= last ? max_i64(low, *end - query->last) : low;
    return QUERY_ROWS;
}

/* ---- which rows ---- */

static bool has_value(const struct report_query *query, const struct report_where *where,
                      const struct report_row *row) {
    char value[FIELD_TEXT_MAX + 1];
    if (report_key_is_other(row->key, row->key_len, where->by)) {
        return false;
    }
    const size_t len = report_key_value(row->key, row->key_len, where->by, value);
    if (by_field(query, where->by)->type == FIELD_TEXT) {
        return len == where->len && memcmp(value, where->value, len) == 0;
    }
    value[len] = '\0'; /* 7 equals 7.0 and 007 */
    const long double number = strtold(value, NULL), wanted = strtold(where->value, NULL);
    return !(number < wanted) && !(number > wanted);
}

bool report_query_may_hold(const struct report_query *query, const struct report_row *row) {
    unsigned others = 0;
    for (unsigned i = 0; i < query->wheres; i++) {
        if (report_key_is_other(row->key, row->key_len, query->where[i].by)) {
            others++;
        } else if (!has_value(query, &query->where[i], row)) {
            return false;
        }
    }
    return others > 0;
}

static bool is_meant(const struct report_query *query, const struct report_row *row) {
    for (unsigned i = 0; i < query->wheres; i++) {
        if (row->other || !has_value(query, &query->where[i], row)) {
            return false;
        }
    }
    return true;
}

/* A row and its sort key. */
struct ranked {
    struct report_row row;
    bool other;       /* it is `(other)` in at least one field */
    long double size; /* -INFINITY: it has no such figure */
    size_t at;        /* its position in the order of keys */
};

static int compare_ranked(const void *a, const void *b) {
    const struct ranked *one = a, *other = b;
    if (one->row.other != other->row.other) {
        return one->row.other ? 1 : -1;
    }
    if (one->other != other->other) {
        return one->other ? 1 : -1;
    }
    if (one->size > other->size || one->size < other->size) {
        return one->size > other->size ? -1 : 1;
    }
    return one->at < other->at ? -1 : 1;
}

static long double size_of(const struct report_query *query, const struct report_row *row) {
    struct figure_value value;
    figure_value(&query->report->figure[query->by], query->report->measure, row->state,
                 query->report->table.width_us[query->width], &value);
    return value.type == FIGURE_TIME     ? (long double)value.us
           : value.type == FIGURE_NUMBER ? value.rank
                                         : -(long double)INFINITY;
}

static bool has_other(const struct report_query *query, const struct report_row *row) {
    unsigned i = 0;
    while (i < query->report->by && !report_key_is_other(row->key, row->key_len, i)) {
        i++;
    }
    return i < query->report->by;
}

/* Sorts by the figure and drops what is not among the largest. */
static bool choose_top(const struct report_query *query, struct report_rows *rows) {
    struct ranked *ranked = calloc(rows->n > 0 ? rows->n : 1, sizeof *ranked);
    if (!ranked) {
        return false;
    }
    for (size_t i = 0; i < rows->n; i++) {
        ranked[i] = (struct ranked){rows->row[i], has_other(query, &rows->row[i]),
                                    size_of(query, &rows->row[i]), i};
    }
    qsort(ranked, rows->n, sizeof *ranked, compare_ranked);
    size_t kept = 0;
    int64_t keys = 0, others = 0;
    for (size_t i = 0; i < rows->n; i++) {
        int64_t *const its = ranked[i].other ? &others : &keys;
        if ((*its)++ < query->top || ranked[i].row.other) {
            rows->row[kept++] = ranked[i].row;
        }
    }
    rows->n = kept;
    free(ranked);
    return true;
}

bool report_query_choose(const struct report_query *query, struct report_rows *rows) {
    size_t kept = 0;
    for (size_t i = 0; i < rows->n; i++) {
        if (is_meant(query, &rows->row[i])) {
            rows->row[kept++] = rows->row[i];
        }
    }
    rows->n = kept;
    return query->top == 0 || choose_top(query, rows);
}
