/* All figures and the measures they need: one line each. */
#include "counters/measures/figure.h"

#include "common/usage.h"
#include "counters/measures/figures.h"
#include "counters/measures/kinds.h"
#include "counters/measures/own.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERCENT_DIGITS_MAX 4 /* decimals of p99.9999 */
#define ARGUMENTS_MAX (MEASURE_TEXT_MAX - MEASURE_NAME_MAX - 2)

/* What follows a figure's name, as in p99.9 and top20. */
enum figure_suffix { SUFFIX_NONE, SUFFIX_PERCENT, SUFFIX_NUMBER };

struct figure_kind {
    const char *name;
    enum measure_wants wants;
    enum figure_suffix suffix;
    const char *needs[FIGURE_MEASURES_MAX]; /* kinds of measures: "sum()" gets the figure's field */
    figure_writer *write;
    const char *example; /* suggested in place of a mistake; NULL: as above */
};

static const struct figure_kind kinds[] = {
    {"count", MEASURE_WANTS_NOTHING, SUFFIX_NONE, {"count"}, figure_write_count, "count"},
    {"sum", MEASURE_WANTS_NUMBER, SUFFIX_NONE, {"sum()"}, figure_write_sum, "sum"},
    {"min", MEASURE_WANTS_NUMBER, SUFFIX_NONE, {"min()"}, figure_write_lowest, "min"},
    {"max", MEASURE_WANTS_NUMBER, SUFFIX_NONE, {"max()"}, figure_write_highest, "max"},
    {"avg", MEASURE_WANTS_NUMBER, SUFFIX_NONE, {"sum()", "count"}, figure_write_avg, "avg"},
    {"stddev",
     MEASURE_WANTS_NUMBER,
     SUFFIX_NONE,
     {"squares()", "sum()", "count"},
     figure_write_stddev,
     "stddev"},
    {"p", MEASURE_WANTS_NUMBER, SUFFIX_PERCENT, {"quantiles()"}, figure_write_quantile, "p99"},
    {"first", MEASURE_WANTS_NOTHING, SUFFIX_NONE, {"first"}, figure_write_first, "first"},
    {"last", MEASURE_WANTS_NOTHING, SUFFIX_NONE, {"last"}, figure_write_last, "last"},
    {"distinct",
     MEASURE_WANTS_VALUE,
     SUFFIX_NONE,
     {"distinct()"},
     figure_write_distinct,
     "distinct"},
    {"top", MEASURE_WANTS_VALUE, SUFFIX_NUMBER, {"top()"}, figure_write_top, "top10"},
    {"digest", MEASURE_WANTS_ALL, SUFFIX_NONE, {"digest"}, figure_write_digest, "digest"},
    {"first", MEASURE_WANTS_VALUE, SUFFIX_NONE, {"earliest()"}, figure_write_edge, NULL},
    {"last", MEASURE_WANTS_VALUE, SUFFIX_NONE, {"latest()"}, figure_write_edge, NULL},
    {"rate", MEASURE_WANTS_NOTHING, SUFFIX_NONE, {"count"}, figure_write_rate, "rate"},
};

#define KINDS (sizeof kinds / sizeof kinds[0])

/* The kind of every loaded measure, which needs just itself, under the same text. The next one
 * stands for a measure that is not loaded. */
static const struct figure_kind own_kind = {.wants = MEASURE_WANTS_OWN, .write = figure_write_own},
                                absent_kind = {.wants = MEASURE_WANTS_OWN,
                                               .write = figure_write_nothing};

/* ---- reading an item of `show:` ---- */

/* name(arguments) without its blanks, split. */
struct item {
    char name[MEASURE_NAME_MAX];
    char arguments[ARGUMENTS_MAX];
    bool parentheses;
};

/* Copies text[0..len) without blanks at either end; false when it does not fit. */
static bool copy_trimmed(char *to, size_t size, const char *text, size_t len) {
    while (len > 0 && isspace((unsigned char)text[0])) {
        text++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)text[len - 1])) {
        len--;
    }
    if (len >= size) {
        return false;
    }
    memcpy(to, text, len);
    to[len] = '\0';
    return true;
}

static bool split(const char *text, struct item *item, char why[FIGURE_WHY_MAX]) {
    char whole[2 * MEASURE_TEXT_MAX] = "";
    *item = (struct item){0};
    if (!copy_trimmed(whole, sizeof whole, text, strlen(text))) {
        snprintf(why, FIGURE_WHY_MAX, "`%.40s...` is too long for a measure", text);
        return false;
    }
    const size_t len = strlen(whole), name_len = strcspn(whole, "(");
    item->parentheses = name_len < len;
    if (item->parentheses && whole[len - 1] != ')') {
        snprintf(why, FIGURE_WHY_MAX, "`%s` lacks its closing parenthesis at the end", whole);
        return false;
    }
    const size_t arguments_len = item->parentheses ? len - name_len - 2 : 0;
    if (!copy_trimmed(item->name, sizeof item->name, whole, name_len) ||
        !copy_trimmed(item->arguments, sizeof item->arguments, whole + name_len + item->parentheses,
                      arguments_len)) {
        snprintf(why, FIGURE_WHY_MAX, "`%.80s` is too long for a measure", whole);
        return false;
    }
    return true;
}

/* "99.90" -> 0.999; trailing zeros are removed from the text. */
static bool read_percent(char *digits, double *parameter) {
    const size_t whole = strspn(digits, "0123456789");
    size_t len = whole;
    if (digits[whole] == '.') {
        len += 1 + strspn(digits + whole + 1, "0123456789");
        if (len == whole + 1 || len > whole + 1 + PERCENT_DIGITS_MAX) {
            return false;
        }
    }
    if (whole == 0 || whole > 2 || (whole == 2 && digits[0] == '0') || digits[len] != '\0') {
        return false;
    }
    while (len > whole && (digits[len - 1] == '0' || digits[len - 1] == '.')) {
        digits[--len] = '\0';
    }
    *parameter = strtod(digits, NULL) / 100;
    return *parameter > 0;
}

static bool read_number(const char *digits, double *parameter) {
    const size_t len = strlen(digits);
    if (len == 0 || len > 3 || strspn(digits, "0123456789") < len || digits[0] == '0') {
        return false;
    }
    *parameter = atoi(digits);
    return *parameter <= FIGURE_ITEMS_MAX;
}

static bool read_suffix(const struct figure_kind *kind, char *suffix, double *parameter) {
    *parameter = 0;
    switch (kind->suffix) {
    case SUFFIX_PERCENT:
        return read_percent(suffix, parameter);
    case SUFFIX_NUMBER:
        return read_number(suffix, parameter);
    default:
        return suffix[0] == '\0';
    }
}

static bool takes_field(const struct figure_kind *kind) {
    return kind->wants != MEASURE_WANTS_NOTHING && kind->wants != MEASURE_WANTS_ALL;
}

/* The kind with that name, and what follows the name. Of two with the same name (first, first(x)),
 * the one with or without a field. NULL when there is none. */
static const struct figure_kind *find_kind(char *name, bool field, double *parameter) {
    const struct figure_kind *found = NULL;
    for (size_t i = 0; i < KINDS; i++) {
        const size_t len = strlen(kinds[i].name);
        if (strncmp(name, kinds[i].name, len) == 0 &&
            read_suffix(&kinds[i], name + len, parameter)) {
            if (takes_field(&kinds[i]) == field) {
                return &kinds[i];
            }
            found = &kinds[i];
        }
    }
    const struct measure_kind *kind = found ? NULL : measure_find(name);
    return kind && kind->wants == MEASURE_WANTS_OWN ? &own_kind : found;
}

bool figure_is_taken(const char *name) {
    char copy[MEASURE_NAME_MAX];
    double parameter;
    return copy_trimmed(copy, sizeof copy, name, strlen(name)) &&
           (measure_find(name) || find_kind(copy, false, &parameter));
}

/* Whether a name is one or more letters followed by what is, or should be, a number. */
static bool has_number(const char *name, const char *letters) {
    const size_t len = strlen(letters);
    return strncmp(name, letters, len) == 0 &&
           strspn(name + len, "0123456789.") == strlen(name + len);
}

static bool tell_unknown(const char *name, char why[FIGURE_WHY_MAX]) {
    if (has_number(name, "p") || has_number(name, "top")) {
        const bool percent = name[0] == 'p';
        snprintf(
            why, FIGURE_WHY_MAX, "unknown measure `%s`; %s", name,
            percent ? "a quantile is p50, p99, p99.9: above 0, below 100, 4 digits behind the point"
                    : "the most frequent are top1 to top100");
        return false;
    }
    const char *names[KINDS + OWN_MAX];
    size_t n = 0;
    for (size_t i = 0; i < KINDS; i++) {
        if (kinds[i].example) {
            names[n++] = kinds[i].example;
        }
    }
    for (size_t i = 0; own_at(i); i++) {
        names[n++] = own_at(i)->name;
    }
    const char *nearest = usage_nearest(name, names, n);
    if (nearest) {
        snprintf(why, FIGURE_WHY_MAX, "unknown measure `%s`; did you mean `%s`?", name, nearest);
        return false;
    }
    int used = snprintf(why, FIGURE_WHY_MAX, "unknown measure `%s`; there are", name);
    for (size_t i = 0; i < n && used < FIGURE_WHY_MAX; i++) {
        used +=
            snprintf(why + used, (size_t)(FIGURE_WHY_MAX - used), "%s %s", i ? "," : "", names[i]);
    }
    return false;
}

/* A loaded measure's arguments may be anything printable. Blanks are removed, so that equal
 * arguments are spelled alike. */
static bool check_own_arguments(struct item *item, char why[FIGURE_WHY_MAX]) {
    char *to = item->arguments;
    for (const char *c = item->arguments; *c; c++) {
        if (*c < ' ' || *c > '~' || *c == '(' || *c == ')') {
            snprintf(why, FIGURE_WHY_MAX, "`%s`: a character that its arguments cannot have",
                     item->name);
            return false;
        }
        if (*c != ' ') {
            *to++ = *c;
        }
    }
    *to = '\0';
    item->parentheses = item->arguments[0] != '\0';
    return true;
}

/* Whether the arguments are what the kind requires. */
static bool check_arguments(const struct figure_kind *kind, struct item *item,
                            char why[FIGURE_WHY_MAX]) {
    if (kind->wants == MEASURE_WANTS_OWN) {
        return check_own_arguments(item, why);
    }
    if (!takes_field(kind)) {
        if (item->parentheses) {
            snprintf(why, FIGURE_WHY_MAX, "`%s` takes no field: write `%s`", item->name,
                     item->name);
        }
        return !item->parentheses;
    }
    if (item->arguments[0] == '\0') {
        snprintf(why, FIGURE_WHY_MAX, "`%s` needs a field: `%s(FIELD)`", item->name, item->name);
        return false;
    }
    if (strpbrk(item->arguments, ", ()\t")) {
        snprintf(why, FIGURE_WHY_MAX, "`%s` takes one field, not `%s`", item->name,
                 item->arguments);
        return false;
    }
    return true;
}

/* Writes name(arguments), or just the name; the caller made sure that it fits. */
static void write_text(char text[MEASURE_TEXT_MAX], const char *name, int name_len,
                       const char *arguments) {
    snprintf(text, MEASURE_TEXT_MAX, *arguments ? "%.*s(%.*s)" : "%.*s%.*s", name_len, name,
             ARGUMENTS_MAX - 1, arguments);
}

static void name_needs(struct figure *figure) {
    for (; figure->measures < FIGURE_MEASURES_MAX; figure->measures++) {
        const char *need = figure->kind->needs[figure->measures];
        if (!need) {
            break;
        }
        const int name_len = (int)strcspn(need, "(");
        write_text(figure->needs[figure->measures], need, name_len,
                   need[name_len] ? figure->argument_text : "");
    }
    if (figure->kind->wants == MEASURE_WANTS_OWN) {
        memcpy(figure->needs[figure->measures++], figure->text, MEASURE_TEXT_MAX);
    }
}

/* The rest of parsing, once the kind is known. */
static bool name_figure(struct figure *figure, struct item *item, char why[FIGURE_WHY_MAX]) {
    if (!check_arguments(figure->kind, item, why)) {
        return false;
    }
    memcpy(figure->argument_text, item->arguments, sizeof item->arguments);
    write_text(figure->text, item->name, MEASURE_NAME_MAX - 1, item->arguments);
    name_needs(figure);
    return true;
}

bool figure_parse(const char *text, struct figure *figure, char why[FIGURE_WHY_MAX]) {
    struct item item;
    *figure = (struct figure){0};
    if (!split(text, &item, why)) {
        return false;
    }
    figure->kind = find_kind(item.name, item.arguments[0] != '\0', &figure->parameter);
    return figure->kind ? name_figure(figure, &item, why) : tell_unknown(item.name, why);
}

bool figure_parse_absent(const char *text, struct figure *figure) {
    char why[FIGURE_WHY_MAX];
    struct item item;
    *figure = (struct figure){.kind = &absent_kind};
    return split(text, &item, why) && name_figure(figure, &item, why);
}

enum measure_wants figure_wants(const struct figure *figure) {
    return figure->kind->wants;
}

void figure_value(const struct figure *figure, const struct measure *measure, const uint64_t *state,
                  int64_t width_us, struct figure_value *value) {
    struct figure_source source = {.figure = figure, .width_us = width_us};
    for (unsigned i = 0; i < figure->measures; i++) {
        source.measure[i] = &measure[figure->measure[i]];
        source.state[i] = state + source.measure[i]->at;
    }
    value->type = FIGURE_NONE;
    value->us = 0;
    value->rank = 0;
    value->items = 0;
    value->len = 0;
    value->text[0] = '\0';
    if (state[measure[0].at] > 0) { /* its count */
        figure->kind->write(&source, value);
    }
}
