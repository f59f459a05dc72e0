/* `show:` of a report: its figures, and the measures they need. See definitions.h. */
#include "reports/definitions_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- figures ---- */

static const char *type_name(const struct field *field) {
    return field->type == FIELD_TEXT ? "text" : field->type == FIELD_INT ? "an int" : "a decimal";
}

/* Checks that a figure's field exists and has a type that can be shown that way. */
static bool bind_figure(struct reading *reading, const struct tree_node *node,
                        struct figure *figure) {
    const enum measure_wants wants = figure_wants(figure);
    unsigned number;
    if (wants != MEASURE_WANTS_NUMBER && wants != MEASURE_WANTS_VALUE)
        return true;
    if (!definitions_find_field(reading, node, figure->argument_text, &number))
        return false;
    const struct field *field = &reading->definitions->fields.field[number];
    if (wants == MEASURE_WANTS_NUMBER && field->type == FIELD_TEXT)
        return definitions_mistake(reading, node,
                                   "`%s` needs a number, and `%s` is %s; declare it "
                                   "{type: int} or {type: decimal2}",
                                   figure->text, field->name, type_name(field));
    figure->decimals = field->type == FIELD_DECIMAL ? field->decimals : 0;
    return true;
}

/* Refuses a figure that is unknown or set aside. */
static bool refuse_figure(struct reading *reading, const struct tree_node *node, const char *why) {
    const size_t name_len = strcspn(node->text, " (");
    reading->aside =
        reading->purpose->span.workers > 0 ? own_find_aside(node->text, name_len) : NULL;
    return reading->aside == NULL && definitions_mistake(reading, node, "%s", why);
}

static bool add_figure(struct reading *reading, const struct tree_node *node,
                       struct report *report) {
    struct figure *figure = &report->figure[report->figures];
    char why[FIGURE_WHY_MAX];
    size_t words;
    if (!figure_parse(node->text, figure, why) &&
        !(definitions_find_own(reading, node->text, &words) &&
          figure_parse_absent(node->text, figure)))
        return refuse_figure(reading, node, why);
    for (unsigned i = 0; i < report->figures; i++) {
        if (strcmp(report->figure[i].text, figure->text) == 0)
            return definitions_mistake(reading, node, "`%s` is here twice", figure->text);
    }
    report->figures++;
    return bind_figure(reading, node, figure);
}

/* ---- measures ---- */

/* The texts of the measures that are needed, without duplicates: count first, the others sorted, so
 * that their order in a row does not depend on the order of figures. */
struct needed {
    const char *text[REPORT_SHOW_MAX * FIGURE_MEASURES_MAX + 1];
    unsigned n;
};

static void need(struct needed *needed, const char *text) {
    unsigned at = needed->n;
    for (unsigned i = 0; i < needed->n; i++) {
        if (strcmp(needed->text[i], text) == 0)
            return;
    }
    for (; at > 1 && strcmp(needed->text[at - 1], text) > 0; at--)
        needed->text[at] = needed->text[at - 1];
    needed->text[at] = text;
    needed->n++;
}

/* Tells the figures that use it, and takes the largest of their parameters. */
static void bind_measure_to_figures(struct report *report, unsigned number) {
    struct measure *measure = &report->measure[number];
    for (unsigned i = 0; i < report->figures; i++) {
        struct figure *figure = &report->figure[i];
        for (unsigned j = 0; j < figure->measures; j++) {
            if (strcmp(figure->needs[j], measure->text) != 0)
                continue;
            figure->measure[j] = (uint8_t)number;
            if (figure->parameter > measure->parameter)
                measure->parameter = (unsigned)figure->parameter;
        }
    }
}

static bool is_name(const char *text) {
    return isalpha((unsigned char)*text) || *text == '_';
}

/* Finds those arguments of a loaded measure that are names, which must be declared fields, in
 * order. Anything else begins with another character, so that no mistyped field is overlooked. */
static bool bind_own(struct reading *reading, const struct tree_node *node, struct report *report,
                     struct measure *measure) {
    const char *at = measure->argument_text;
    while (*at != '\0') {
        char name[MEASURE_TEXT_MAX];
        unsigned field;
        at += strspn(at, " ,");
        const size_t len = strcspn(at, " ,");
        snprintf(name, sizeof name, "%.*s", (int)len, at);
        at += len;
        if (!is_name(name))
            continue;
        if (!definitions_find_field(reading, node, name, &field))
            return false;
        measure->field[measure->arguments++] = (uint8_t)field; /* the text has room for 48 names */
        report->needs |= UINT64_C(1) << field;
    }
    return true;
}

/* Finds the fields that a measure gets from each event. */
static bool bind_measure_to_fields(struct reading *reading, const struct tree_node *node,
                                   struct report *report, unsigned number) {
    const struct definitions *definitions = reading->definitions;
    struct measure *measure = &report->measure[number];
    unsigned field;
    switch (measure->kind->wants) {
    case MEASURE_WANTS_NOTHING:
        return true;
    case MEASURE_WANTS_ALL:
        measure->arguments = definitions->fields.n;
        memcpy(measure->field, definitions->sorted, definitions->fields.n);
        measure->argument_name = definitions->sorted_name;
        return true;
    case MEASURE_WANTS_OWN:
        return bind_own(reading, node, report, measure);
    default:
        if (!definitions_find_field(reading, node, measure->argument_text, &field))
            return false;
        measure->arguments = 1;
        measure->field[0] = (uint8_t)field;
        report->argument_name[number] = definitions->fields.field[field].name;
        measure->argument_name = &report->argument_name[number];
        report->needs |= UINT64_C(1) << field;
        return true;
    }
}

/* In a stored report: keeps the place of a measure that is not loaded, or is a different one
 * now. */
static void replace_by_absent(struct reading *reading, struct report *report,
                              struct measure *measure) {
    size_t words;
    const bool stored = definitions_find_own(reading, measure->text, &words);
    if (!stored || (measure->kind != NULL && measure->words == words))
        return;
    if (measure->kind != NULL && measure->kind->close != NULL && measure->config != NULL)
        measure->kind->close(measure);
    measure->kind = &measure_absent;
    measure->words = words;
    for (unsigned i = 0; i < report->figures; i++) {
        struct figure *figure = &report->figure[i], absent;
        if (strcmp(figure->text, measure->text) == 0 && figure_parse_absent(figure->text, &absent))
            figure->kind = absent.kind;
    }
}

/* Determines a measure's kind, fields and state. */
static bool open_measure(struct reading *reading, const struct tree_node *node,
                         struct report *report, struct measure *measure) {
    const unsigned number = (unsigned)(measure - report->measure);
    if (measure->kind == NULL)
        replace_by_absent(reading, report, measure);
    if (measure->kind == NULL)
        return definitions_mistake(reading, node, "unknown measure `%s`", measure->text);
    bind_measure_to_figures(report, number);
    if (!bind_measure_to_fields(reading, node, report, number))
        return false;
    const char *why = measure->kind->open(measure);
    if (measure->kind->wants == MEASURE_WANTS_OWN)
        replace_by_absent(reading, report, measure);
    return why == NULL || measure->kind == &measure_absent ||
           definitions_mistake(reading, node, "%s: %s", measure->text, why);
}

static bool add_measure(struct reading *reading, const struct tree_node *node,
                        struct report *report, const char *text) {
    struct measure *measure = &report->measure[report->measures];
    measure_name(measure, text);
    if (!open_measure(reading, node, report, measure))
        return false;
    report->measures++; /* from now on the report closes it */
    measure->at = report->table.state_words;
    report->table.state_words += measure->words;
    return report->table.state_words <= TABLE_STATE_WORDS_MAX ||
           definitions_mistake(reading, node, "rows of %zu bytes with `%s`; at most %zu",
                               report->table.state_words * sizeof(word), text,
                               TABLE_STATE_WORDS_MAX * sizeof(word));
}

bool definitions_read_show(struct reading *reading, const struct tree_node *node,
                           struct report *report) {
    struct needed needed = {.n = 0};
    const struct tree_node *first = definitions_read_list(
        reading, node, REPORT_SHOW_MAX, "a list of figures: [count, sum(seconds), p99(ms)]");
    for (const struct tree_node *entry = first; entry != NULL; entry = entry->next) {
        if (!add_figure(reading, entry, report))
            return false;
    }
    if (first == NULL)
        return false;
    need(&needed, "count");
    for (unsigned i = 0; i < report->figures; i++) {
        for (unsigned j = 0; j < report->figure[i].measures; j++)
            need(&needed, report->figure[i].needs[j]);
    }
    if (needed.n > REPORT_MEASURES_MAX)
        return definitions_mistake(reading, node, "these figures need %u measures; at most %d",
                                   needed.n, REPORT_MEASURES_MAX);
    for (unsigned i = 0; i < needed.n; i++) {
        if (!add_measure(reading, node, report, needed.text[i]))
            return false;
    }
    return true;
}
