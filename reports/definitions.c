/* See definitions.h. Files, the definitions as a whole, and what their parts share. */
#include "reports/definitions.h"

#include "common/usage.h"
#include "reports/definitions_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- mistakes ---- */

/* Writes "FILE:LINE:COLUMN: sentence", in one line whatever the file's name. */
static void say(const struct reading *reading, unsigned line, unsigned column,
                const char *sentence) {
    snprintf(reading->why, DEFINITIONS_WHY_MAX, "%.200s:%u:%u: %.280s", reading->purpose->file,
             line, column, sentence);
    for (char *c = reading->why; *c != '\0'; c++)
        *c = (char)(*c >= ' ' && *c <= '~' ? *c : '?');
}

bool definitions_mistake(struct reading *reading, const struct tree_node *at, const char *format,
                         ...) {
    char sentence[DEFINITIONS_WHY_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    say(reading, at->line, at->column, sentence);
    return false;
}

bool definitions_mistake_within(struct reading *reading, const struct tree_node *at, size_t offset,
                                const char *format, ...) {
    char sentence[DEFINITIONS_WHY_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    say(reading, at->line, tree_column(at, offset), sentence);
    return false;
}

/* ---- names ---- */

const char *definitions_nearest(const char *text, size_t len,
                                const struct definitions_names *names) {
    char slip[TREE_SHOWN_MAX];
    snprintf(slip, sizeof slip, "%.*s", (int)(len < sizeof slip ? len : sizeof slip - 1), text);
    return len > 0 ? usage_nearest(slip, names->name, names->n) : NULL;
}

/* Lists as many of the names as fit. */
static const char *list_names(const struct definitions_names *names, char *text, size_t size) {
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < names->n && len + strlen(names->name[i]) + 8 < size; i++)
        len += (size_t)snprintf(text + len, size - len, "%s%s", i > 0 ? ", " : "", names->name[i]);
    return text;
}

static bool find_name(const struct tree_node *scalar, const struct definitions_names *names,
                      size_t *found) {
    for (size_t i = 0; i < names->n; i++) {
        if (strcmp(names->name[i], scalar->text) == 0) {
            *found = i;
            return true;
        }
    }
    return false;
}

bool definitions_find(struct reading *reading, const struct tree_node *scalar,
                      const struct definitions_names *names, size_t *found) {
    char shown[TREE_SHOWN_MAX], all[160];
    if (find_name(scalar, names, found))
        return true;
    const char *nearest = definitions_nearest(scalar->text, scalar->len, names);
    return nearest != NULL
               ? definitions_mistake(reading, scalar, "unknown %s `%s`; did you mean `%s`?",
                                     names->what, tree_show(scalar, shown), nearest)
               : definitions_mistake(reading, scalar, "unknown %s `%s`; there %s %s", names->what,
                                     tree_show(scalar, shown), names->n > 0 ? "are" : "is none",
                                     list_names(names, all, sizeof all));
}

bool definitions_find_field(struct reading *reading, const struct tree_node *at, const char *name,
                            unsigned *field) {
    const struct fields_config *fields = &reading->definitions->fields;
    const char *known[FIELDS_MAX];
    for (unsigned i = 0; i < fields->n; i++) {
        known[i] = fields->field[i].name;
        if (strcmp(known[i], name) == 0) {
            *field = i;
            return true;
        }
    }
    const struct definitions_names names = {"field", known, fields->n};
    const char *nearest = definitions_nearest(name, strlen(name), &names);
    if (nearest != NULL)
        return definitions_mistake(reading, at, "unknown field `%.40s`; did you mean `%s`?", name,
                                   nearest);
    return definitions_mistake(reading, at,
                               "unknown field `%.40s`; fields are declared in `fields:`", name);
}

/* ---- shapes ---- */

bool definitions_want(struct reading *reading, const struct tree_node *node, enum tree_kind kind,
                      const char *meant) {
    if (node->kind == kind && (kind != TREE_SCALAR || !tree_is_null(node)))
        return true;
    return definitions_mistake(reading, node, "%s is here; meant is %s", tree_kind_name(node),
                               meant);
}

bool definitions_read_map(struct reading *reading, const struct tree_node *map,
                          const struct definitions_names *names, const struct tree_node **node) {
    for (const struct tree_node *key = map->child; key != NULL; key = key->next) {
        size_t found;
        if (!definitions_find(reading, key, names, &found))
            return false;
        node[found] = key->value;
    }
    return true;
}

const struct tree_node *definitions_read_list(struct reading *reading, const struct tree_node *node,
                                              unsigned most, const char *meant) {
    if (node->kind == TREE_SCALAR)
        return definitions_want(reading, node, TREE_SCALAR, meant) ? node : NULL;
    if (!definitions_want(reading, node, TREE_LIST, meant))
        return NULL;
    if (node->entries == 0 || node->entries > most) {
        definitions_mistake(reading, node, "%u entries; from 1 to %u are meant: %s", node->entries,
                            most, meant);
        return NULL;
    }
    for (const struct tree_node *entry = node->child; entry != NULL; entry = entry->next) {
        if (!definitions_want(reading, entry, TREE_SCALAR, meant))
            return NULL;
    }
    return node->child;
}

/* ---- the whole ---- */

static bool check_puts(struct reading *reading, const struct tree_node *node) {
    struct definitions *definitions = reading->definitions;
    const struct report *report = &definitions->report[definitions->reports - 1];
    definitions->puts += definitions_puts(report);
    return definitions->puts <= UNDO_ENTRIES_MAX ||
           definitions_mistake(reading, node,
                               "with report `%s` one event may change %llu words; at most %zu: "
                               "take widths, measures or reports away",
                               report->table.name, (unsigned long long)definitions->puts,
                               UNDO_ENTRIES_MAX);
}

static void free_report(struct report *report) {
    condition_free(report->when);
    for (unsigned i = 0; i < report->measures; i++) {
        struct measure *measure = &report->measure[i];
        if (measure->kind->close != NULL)
            measure->kind->close(measure);
    }
    free(report->definition);
}

/* Removes the last report from those in force. */
static void set_aside(struct reading *reading, struct report *report) {
    struct definitions *definitions = reading->definitions;
    struct report_aside *aside = &definitions->aside[definitions->asides++];
    memcpy(aside->name, report->table.name, sizeof aside->name);
    aside->measure = reading->aside;
    reading->aside = NULL;
    free_report(report);
    *report = (struct report){0};
    definitions->reports--;
}

static bool read_reports(struct reading *reading, const struct tree_node *node) {
    struct definitions *definitions = reading->definitions;
    if (!definitions_want(reading, node, TREE_LIST, "a list of reports: - name: ..."))
        return false;
    if (node->entries > REPORTS_MAX)
        return definitions_mistake(reading, node, "%u reports; at most %d", node->entries,
                                   REPORTS_MAX);
    for (const struct tree_node *entry = node->child; entry != NULL; entry = entry->next) {
        struct report *report = &definitions->report[definitions->reports++];
        const bool well = definitions_read_report(reading, entry, report);
        if (!well && reading->aside != NULL)
            set_aside(reading, report);
        else if (!well || !check_puts(reading, entry))
            return false;
    }
    return true;
}

static bool read_whole(struct reading *reading, const struct tree_node *root) {
    static const char *const keys[] = {"measures", "fields", "reports", "own"};
    const bool stored = reading->purpose->span.workers == 0;
    const struct definitions_names names = {"key", keys, stored ? 4 : 3};
    const struct tree_node *given[4] = {NULL, NULL, NULL, NULL};
    struct definitions *definitions = reading->definitions;
    if (!definitions_want(reading, root, TREE_MAP, "a map of `fields:` and `reports:`") ||
        !definitions_read_map(reading, root, &names, given))
        return false;
    reading->own = given[3];
    if (given[2] == NULL)
        return definitions_mistake(reading, root, "`reports:` is missing");
    if ((given[0] != NULL && !definitions_read_measures(reading, given[0])) ||
        (given[1] != NULL && !definitions_read_fields(reading, given[1])) ||
        !read_reports(reading, given[2]))
        return false;
    const struct definitions_for *purpose = reading->purpose;
    for (; definitions->fields.times < purpose->times; definitions->fields.times++)
        snprintf(definitions->fields.time[definitions->fields.times], FIELD_NAME_MAX, "%s",
                 purpose->time[definitions->fields.times]);
    definitions->compiled = fields_new(&definitions->fields);
    return definitions->compiled != NULL || definitions_mistake(reading, root, "out of memory");
}

struct definitions *definitions_read(const char *text, size_t len,
                                     const struct definitions_for *purpose,
                                     char why[DEFINITIONS_WHY_MAX]) {
    struct reading reading = {
        .purpose = purpose, .definitions = calloc(1, sizeof *reading.definitions), .why = why};
    struct tree tree = {.line = 1, .column = 1, .why = "out of memory"};
    bool well = false;
    if (len > DEFINITIONS_BYTES_MAX)
        snprintf(tree.why, sizeof tree.why, "%zu bytes; at most %d", len, DEFINITIONS_BYTES_MAX);
    else if (reading.definitions != NULL)
        well = tree_read(text, len, &tree);
    if (!well)
        say(&reading, tree.line, tree.column, tree.why);
    well = well && read_whole(&reading, tree.root);
    tree_free(&tree);
    if (well)
        return reading.definitions;
    definitions_free(reading.definitions);
    return NULL;
}

void definitions_free(struct definitions *definitions) {
    if (definitions == NULL)
        return;
    for (unsigned i = 0; i < definitions->reports; i++)
        free_report(&definitions->report[i]);
    fields_free(definitions->compiled);
    free(definitions);
}

/* ---- files ---- */

/* Reads a whole file, or one byte more than is allowed. NULL fills `why`. */
static char *read_file(const char *path, size_t *len, char why[DEFINITIONS_WHY_MAX]) {
    char *text = malloc(DEFINITIONS_BYTES_MAX + 1);
    const int fd = text != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = fd >= 0 ? 1 : -1;
    for (*len = 0; got > 0 && *len <= DEFINITIONS_BYTES_MAX; *len += got > 0 ? (size_t)got : 0)
        got = read(fd, text + *len, DEFINITIONS_BYTES_MAX + 1 - *len);
    if (got < 0)
        snprintf(why, DEFINITIONS_WHY_MAX, "%.300s: %s", path,
                 text != NULL ? strerror(errno) : "out of memory");
    if (fd >= 0)
        close(fd);
    if (got >= 0)
        return text;
    free(text);
    return NULL;
}

struct definitions *definitions_load_for(const char *path, const struct definitions_for *purpose,
                                         char why[DEFINITIONS_WHY_MAX]) {
    struct definitions_for its = *purpose;
    its.file = path;
    size_t len;
    char *text = read_file(path, &len, why);
    struct definitions *definitions = text != NULL ? definitions_read(text, len, &its, why) : NULL;
    free(text);
    return definitions;
}

struct definitions *definitions_load(const char *path, const struct table_span *span,
                                     char why[DEFINITIONS_WHY_MAX]) {
    const struct definitions_for purpose = {.span = *span};
    return definitions_load_for(path, &purpose, why);
}
