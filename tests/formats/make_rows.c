/* Makes the files that are kept as rows_v1.aforo and undo_v1.aforo: make_rows DIR writes
 * DIR/reports/fixture.00112233aabbccdd.aforo and DIR/reports/undo.aforo. To be run once for each
 * format version, by the program of that version; the files are kept, and their numbers must be
 * read for ever. */
#include "tests/formats/rows_v1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool count(struct tables *tables, const struct table *table,
                  const struct rows_v1_event *event) {
    struct undo *undo = tables_undo(tables, 1);
    char text[64];
    const size_t first = strlen(event->first), second = strlen(event->second);
    snprintf(text, sizeof text, "%s\x1f%s", event->first, event->second);
    const struct table_key key = {.bytes = text,
                                  .len = first + 1 + second,
                                  .hash = table_hash(table, text, first + 1 + second),
                                  .fields = 2,
                                  .at = {0, (uint16_t)(first + 1)},
                                  .field_len = {(uint16_t)first, (uint16_t)second}};
    bool ok = true;
    undo_begin_owner(undo);
    for (unsigned width = 0; width < 2; width++) {
        struct table_section *section = table_section(table, 1, width);
        struct table_row row;
        table_set_now_owner(section, event->us);
        ok = ok && table_touch_owner(section, undo,
                                     table_window(table_config(table)->width_us[width], event->us),
                                     &key, &row);
        undo_put_owner(undo, row.file, &row.state[0], atomic_load(&row.state[0]) + 1);
        undo_put_owner(undo, row.file, &row.state[1], atomic_load(&row.state[1]) + event->value);
        undo_put_owner(undo, row.file, &row.state[2], (uint64_t)event->us);
    }
    undo_commit_owner(undo, &(const struct undo_count){0, 0, 0});
    return ok;
}

int main(int argc, char **argv) {
    char why[COUNTERS_WHY_MAX];
    const struct counters_config config = {.dir = argc == 2 ? argv[1] : "",
                                           .node_id = "fixture",
                                           .workers = 1,
                                           .horizon_us = US_PER_S,
                                           .keep_us = {US_PER_S, US_PER_S, US_PER_S}};
    const struct table_config of = rows_v1_config();
    struct counters *counters = counters_open(&config, NULL, why);
    struct tables *tables = counters ? tables_open(counters, 1, true, NULL, NULL, why) : NULL;
    struct table *table = tables ? tables_get(tables, &of, why) : NULL;
    bool ok = table != NULL;
    for (size_t i = 0; ok && i < sizeof rows_v1_events / sizeof rows_v1_events[0]; i++) {
        ok = count(tables, table, &rows_v1_events[i]);
    }
    if (!ok) {
        fprintf(stderr, "make_rows: %s\n", table ? "an event was refused" : why);
    }
    tables_close(tables);
    counters_close(counters);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
