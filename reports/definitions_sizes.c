/* The limits of a report: `keys`, `keep`, `memory`, and the words that one event changes. See
 * definitions.h. */
#include "reports/definitions_internal.h"

#include "counters/time/units.h"

#include <inttypes.h>
#include <string.h>

/* ---- keys ---- */

static bool read_number(struct reading *reading, const struct tree_node *node, uint64_t most,
                        uint64_t *out) {
    char shown[TREE_SHOWN_MAX];
    int64_t number;
    if (!definitions_want(reading, node, TREE_SCALAR, "a number"))
        return false;
    if (node->quoted || !units_none(node->text, &number) || number < 1 || (uint64_t)number > most)
        return definitions_mistake(reading, node, "`%s`; meant is a number from 1 to %" PRIu64,
                                   tree_show(node, shown), most);
    *out = (uint64_t)number;
    return true;
}

static bool read_per_field(struct reading *reading, const struct tree_node *node,
                           struct report *report) {
    const char *by[TABLE_FIELDS_MAX];
    if (!definitions_want(reading, node, TREE_MAP, "how many values of a field: {client: 500}"))
        return false;
    for (unsigned i = 0; i < report->by; i++)
        by[i] = reading->definitions->fields.field[report->by_field[i]].name;
    const struct definitions_names names = {"field of `by`", by, report->by};
    for (const struct tree_node *key = node->child; key != NULL; key = key->next) {
        size_t found;
        if (!definitions_find(reading, key, &names, &found) ||
            !read_number(reading, key->value, report->table.keys_max,
                         &report->table.field_max[found]))
            return false;
    }
    return true;
}

static bool read_keys(struct reading *reading, const struct tree_node *node,
                      struct report *report) {
    static const char *const keys[] = {"max", "per_field"};
    const struct definitions_names names = {"key", keys, 2};
    const struct tree_node *given[2] = {NULL, NULL};
    if (!definitions_want(reading, node, TREE_MAP, "{max: 20000, per_field: {client: 500}}"))
        return false;
    if (report->by == 0)
        return definitions_mistake(reading, node, "a report without `by` has no keys to bound");
    return definitions_read_map(reading, node, &names, given) &&
           (given[0] == NULL ||
            read_number(reading, given[0], REPORT_KEYS_MOST, &report->table.keys_max)) &&
           (given[1] == NULL || read_per_field(reading, given[1], report));
}

static bool read_keep(struct reading *reading, const struct tree_node *node, int64_t *us) {
    char shown[TREE_SHOWN_MAX];
    if (!definitions_want(reading, node, TREE_SCALAR, "a duration: 7d"))
        return false;
    return (units_duration(node->text, us) && *us > 0) ||
           definitions_mistake(reading, node, "`%s` is no duration; meant is 36h or 7d",
                               tree_show(node, shown));
}

static bool read_memory(struct reading *reading, const struct tree_node *node, int64_t *bytes) {
    char shown[TREE_SHOWN_MAX];
    if (!definitions_want(reading, node, TREE_SCALAR, "a size: 256MiB"))
        return false;
    return (units_size(node->text, bytes) && *bytes > 0 && *bytes <= REPORT_MEMORY_MOST) ||
           definitions_mistake(reading, node, "`%s` is no size of memory; meant is 64MiB, to 1TiB",
                               tree_show(node, shown));
}

bool definitions_read_sizes(struct reading *reading, struct definitions_sizes *sizes,
                            struct report *report) {
    report->table.keys_max = report->by > 0 ? REPORT_KEYS_DEFAULT : 0;
    return (sizes->keys == NULL || read_keys(reading, sizes->keys, report)) &&
           (sizes->keep == NULL || read_keep(reading, sizes->keep, &sizes->keep_us)) &&
           (sizes->memory == NULL || read_memory(reading, sizes->memory, &sizes->memory_bytes));
}

/* ---- keep ---- */

static bool settle_keep(struct reading *reading, const struct definitions_sizes *sizes,
                        struct report *report) {
    const struct table_span *span = &reading->purpose->span;
    const int64_t least_us = span->horizon_us + REPORT_KEEP_MARGIN_US;
    char least[UNITS_SAY_MAX];
    if (sizes->keep != NULL &&
        ((span->workers > 0 && sizes->keep_us < least_us) || sizes->keep_us > REPORT_KEEP_MOST_US))
        return definitions_mistake(
            reading, sizes->keep,
            "`%s`; rows are kept for %s at the least (the horizon and 1 h), for 400 d at the most",
            sizes->keep->text, units_say_duration(least_us, least, sizeof least));
    for (unsigned i = 0; i < report->table.widths; i++) {
        int64_t keep_us = report->table.width_us[i] * REPORT_WINDOWS_KEPT_DEFAULT;
        keep_us = keep_us < least_us ? least_us : keep_us;
        keep_us = keep_us > REPORT_KEEP_MOST_US ? REPORT_KEEP_MOST_US : keep_us;
        report->keep_us[i] = sizes->keep != NULL ? sizes->keep_us : keep_us;
    }
    return true;
}

/* ---- memory ---- */

/* The width that needs most of the memory. */
static int64_t find_greediest(const struct table_config *table, const struct table_span *span) {
    int64_t greediest = table->width_us[0], most = 0;
    for (unsigned i = 0; i < table->widths; i++) {
        struct table_config alone = *table;
        alone.widths = 1;
        alone.width_us[0] = table->width_us[i];
        const int64_t bytes = table_bytes_min(&alone, span);
        if (bytes > most) {
            most = bytes;
            greediest = table->width_us[i];
        }
    }
    return greediest;
}

static int64_t round_up_to_mib(int64_t bytes) {
    const int64_t mib = INT64_C(1) << 20;
    return (bytes + mib - 1) / mib * mib;
}

static bool settle_memory(struct reading *reading, const struct definitions_sizes *sizes,
                          struct report *report) {
    const struct table_span *span = &reading->purpose->span;
    struct table_config *table = &report->table;
    char least[UNITS_SAY_MAX], horizon[UNITS_SAY_MAX], width[16];
    table->memory = sizes->memory != NULL ? sizes->memory_bytes : REPORT_MEMORY_DEFAULT;
    if (span->workers == 0)
        return true;
    const int64_t least_bytes = round_up_to_mib(table_bytes_min(table, span));
    units_say_size(least_bytes, least, sizeof least);
    if (sizes->memory != NULL && table->memory < least_bytes)
        return definitions_mistake(reading, sizes->memory,
                                   "`%s` is too small: this report needs %s at the least with %u "
                                   "threads and a horizon of %s",
                                   sizes->memory->text, least, span->workers,
                                   units_say_duration(span->horizon_us, horizon, sizeof horizon));
    report_width_name(find_greediest(table, span), width);
    if (sizes->memory == NULL && least_bytes > REPORT_MEMORY_UNASKED)
        return definitions_mistake(
            reading, sizes->report,
            "report `%s` needs %s at the least, most of it for windows of %s over a horizon of %s: "
            "take wider ones or fewer measures, lower the horizon, or write memory: %" PRId64 "MiB",
            table->name, least, width,
            units_say_duration(span->horizon_us, horizon, sizeof horizon), least_bytes >> 20);
    if (table->memory < least_bytes)
        table->memory = least_bytes;
    return true;
}

bool definitions_settle_sizes(struct reading *reading, const struct definitions_sizes *sizes,
                              struct report *report) {
    return settle_keep(reading, sizes, report) && settle_memory(reading, sizes, report);
}

/* ---- undo ---- */

uint64_t definitions_puts(const struct report *report) {
    uint64_t puts = TABLE_TOUCH_PUTS;
    for (unsigned i = 0; i < report->measures; i++)
        puts += report->measure[i].kind->puts(&report->measure[i]);
    return puts * report->table.widths;
}
