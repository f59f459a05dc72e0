/* One report of `reports:`. See definitions.h. */
#include "reports/definitions_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_NAME, KEY_WHEN, KEY_BY, KEY_WINDOWS, KEY_SHOW, KEY_KEYS, KEY_KEEP, KEY_MEMORY, KEYS };

static const char *const key_names[KEYS] = {
    [KEY_NAME] = "name", [KEY_WHEN] = "when", [KEY_BY] = "by",     [KEY_WINDOWS] = "windows",
    [KEY_SHOW] = "show", [KEY_KEYS] = "keys", [KEY_KEEP] = "keep", [KEY_MEMORY] = "memory"};

/* ---- name ---- */

static bool read_name(struct reading *reading, const struct tree_node *node,
                      struct report *report) {
    const struct definitions *definitions = reading->definitions;
    char shown[TREE_SHOWN_MAX];
    if (!definitions_want(reading, node, TREE_SCALAR, "a name"))
        return false;
    const size_t odd = strspn(node->text, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    if (node->len == 0 || odd < node->len)
        return definitions_mistake_within(
            reading, node, odd, "`%s` is no name of a report: a-z, 0-9, _ and - are its letters",
            tree_show(node, shown));
    if (node->len >= TABLE_NAME_MAX)
        return definitions_mistake(reading, node, "a name of %zu bytes; at most %d", node->len,
                                   TABLE_NAME_MAX - 1);
    if (strcmp(node->text, "events") == 0)
        return definitions_mistake(reading, node,
                                   "`events` is there already: the counts of 10 ms, 1 s and 1 min");
    for (unsigned i = 0; i < definitions->reports; i++) {
        if (strcmp(definitions->report[i].table.name, node->text) == 0)
            return definitions_mistake(reading, node, "there is another report `%s`", node->text);
    }
    memcpy(report->table.name, node->text, node->len + 1);
    return true;
}

/* ---- when ---- */

static bool read_when(struct reading *reading, const struct tree_node *node,
                      struct report *report) {
    char why[CONDITION_WHY_MAX];
    size_t at;
    if (!definitions_want(reading, node, TREE_SCALAR,
                          "a condition: ms > 1000 or route == \"/pay\""))
        return false;
    report->when = condition_new(&reading->definitions->fields, node->text, &at, why);
    return report->when != NULL || definitions_mistake_within(reading, node, at, "when: %s", why);
}

/* ---- by ---- */

static bool add_by(struct reading *reading, const struct tree_node *node, struct report *report) {
    unsigned field;
    if (!definitions_find_field(reading, node, node->text, &field))
        return false;
    for (unsigned i = 0; i < report->by; i++) {
        if (report->by_field[i] == field)
            return definitions_mistake(reading, node, "`%s` is here twice", node->text);
    }
    report->by_field[report->by++] = (uint8_t)field;
    report->needs |= UINT64_C(1) << field;
    return true;
}

static bool read_by(struct reading *reading, const struct tree_node *node, struct report *report) {
    const struct tree_node *first = definitions_read_list(reading, node, TABLE_FIELDS_MAX,
                                                          "a list of fields: [flight, client]");
    for (const struct tree_node *entry = first; entry != NULL; entry = entry->next) {
        if (!add_by(reading, entry, report))
            return false;
    }
    report->table.fields = report->by;
    report->table.keyed = report->by > 0;
    return first != NULL;
}

/* ---- windows ---- */

static const struct {
    const char *name;
    int64_t us;
} units[] = {{"d", 86400 * US_PER_S},
             {"h", 3600 * US_PER_S},
             {"min", 60 * US_PER_S},
             {"s", US_PER_S},
             {"ms", US_PER_MS}};

#define UNITS (sizeof units / sizeof *units)
#define DAY_US (86400 * US_PER_S)
#define WIDTH_MIN_US (10 * US_PER_MS)
#define WIDTH_NUMBER_MAX 1000

void report_width_name(int64_t width_us, char name[16]) {
    size_t i = 0;
    while (i + 1 < UNITS && width_us % units[i].us != 0)
        i++;
    snprintf(name, 16, "%d%s", (int)(width_us / units[i].us), units[i].name);
}

static bool is_width(int64_t width_us) {
    return width_us >= WIDTH_MIN_US && width_us <= DAY_US && DAY_US % width_us == 0;
}

/* Splits a width into digits and a unit. *unit_us and *number are also set when they make no valid
 * width. False when the form is wrong. */
static bool split_width(const char *name, size_t len, int64_t *unit_us, int64_t *number) {
    size_t digits = 0;
    *number = 0;
    for (; digits < len && isdigit((unsigned char)name[digits]) && digits < 5; digits++)
        *number = *number * 10 + (name[digits] - '0');
    for (size_t i = 0; i < UNITS; i++) {
        *unit_us = units[i].us;
        if (len - digits == strlen(units[i].name) &&
            memcmp(name + digits, units[i].name, len - digits) == 0)
            return digits > 0 && *name != '0' && *number <= WIDTH_NUMBER_MAX;
    }
    return false;
}

bool report_width_read(const char *name, size_t len, int64_t *width_us) {
    int64_t unit_us, number;
    if (!split_width(name, len, &unit_us, &number) || !is_width(number * unit_us))
        return false;
    *width_us = number * unit_us;
    return true;
}

/* When a width does not divide a day, tells which widths nearby do. */
static bool explain_width(struct reading *reading, const struct tree_node *node) {
    char shown[TREE_SHOWN_MAX], below[16], above[16];
    int64_t unit_us, number;
    tree_show(node, shown);
    if (!split_width(node->text, node->len, &unit_us, &number))
        return definitions_mistake(
            reading, node, "`%s` is no width of windows; meant is 10ms, 1s, 15min, 1h, 1d", shown);
    const int64_t width_us = number * unit_us;
    if (width_us < WIDTH_MIN_US || width_us > DAY_US)
        return definitions_mistake(reading, node, "`%s`: windows are 10ms to 1d wide", shown);
    int64_t less = width_us, more = width_us;
    while (!is_width(less))
        less -= unit_us;
    while (!is_width(more))
        more += unit_us;
    report_width_name(less, below);
    report_width_name(more, above);
    return definitions_mistake(reading, node, "`%s` divides no day; %s and %s do", shown, below,
                               above);
}

/* Adds a width; widths are kept in order, the narrowest first, however they are written. */
static bool add_width(struct reading *reading, const struct tree_node *node,
                      struct table_config *table) {
    int64_t width_us;
    if (!report_width_read(node->text, node->len, &width_us))
        return explain_width(reading, node);
    unsigned at = table->widths;
    for (; at > 0 && table->width_us[at - 1] >= width_us; at--) {
        if (table->width_us[at - 1] == width_us)
            return definitions_mistake(reading, node, "a width of `%s` is here twice", node->text);
    }
    memmove(&table->width_us[at + 1], &table->width_us[at],
            (table->widths - at) * sizeof table->width_us[0]);
    table->width_us[at] = width_us;
    table->widths++;
    return true;
}

static bool read_windows(struct reading *reading, const struct tree_node *node,
                         struct report *report) {
    const struct tree_node *first =
        definitions_read_list(reading, node, TABLE_WIDTHS_MAX, "a list of widths: [1min, 1d]");
    for (const struct tree_node *entry = first; entry != NULL; entry = entry->next) {
        if (!add_width(reading, entry, &report->table))
            return false;
    }
    return first != NULL;
}

/* ---- the report ---- */

static bool demand(struct reading *reading, const struct tree_node *report,
                   const struct tree_node *given, const char *example) {
    if (given != NULL)
        return true;
    definitions_mistake(reading, report, "this report has no `%.*s`, e.g. %s",
                        (int)strcspn(example, " "), example, example);
    return false;
}

bool definitions_read_report(struct reading *reading, const struct tree_node *node,
                             struct report *report) {
    const struct definitions_names names = {"key", key_names, KEYS};
    const struct tree_node *given[KEYS] = {NULL};
    if (!definitions_want(reading, node, TREE_MAP, "a report: name, windows, show and more") ||
        !definitions_read_map(reading, node, &names, given) ||
        !demand(reading, node, given[KEY_NAME], "name: billing") ||
        !demand(reading, node, given[KEY_WINDOWS], "windows: [1min, 1d]") ||
        !demand(reading, node, given[KEY_SHOW], "show: [count]"))
        return false;
    struct definitions_sizes sizes = {.report = node,
                                      .keys = given[KEY_KEYS],
                                      .keep = given[KEY_KEEP],
                                      .memory = given[KEY_MEMORY]};
    return read_name(reading, given[KEY_NAME], report) &&
           (given[KEY_WHEN] == NULL || read_when(reading, given[KEY_WHEN], report)) &&
           (given[KEY_BY] == NULL || read_by(reading, given[KEY_BY], report)) &&
           read_windows(reading, given[KEY_WINDOWS], report) &&
           definitions_read_show(reading, given[KEY_SHOW], report) &&
           definitions_read_sizes(reading, &sizes, report) &&
           definitions_write(reading, &sizes, report) &&
           definitions_settle_sizes(reading, &sizes, report);
}
