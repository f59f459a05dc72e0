#include "view/report_table.h"

/* A window that was touched has rows as soon as the transaction is committed. */
static bool holds_rows(void *cls, int64_t window, bool *any) {
    const struct report_table *source = cls;
    const unsigned workers = table_workers(source->table);
    *any = false;
    for (unsigned worker = 0; worker < workers && !*any; worker++) {
        *any = table_touched(source->table, worker, source->width, window) > 0;
    }
    return true;
}

static bool read_rows(void *cls, int64_t window, struct report_rows *rows) {
    const struct report_table *source = cls;
    return report_read(source->report, source->table, source->width, window, rows);
}

struct report_reader report_table_reader(struct report_table *source) {
    struct report_reader reader = {.holds = holds_rows, .read = read_rows, .cls = source};
    if (!table_span_windows(source->table, source->width, &reader.oldest, &reader.newest)) {
        reader.oldest = 0;
        reader.newest = -1;
    }
    return reader;
}
