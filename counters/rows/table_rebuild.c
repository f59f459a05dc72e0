#include "counters/rows/table_file.h"
void table_rebuild(struct table *table, uint64_t *repaired) {
    (void)table;
    (void)repaired;
}
uint64_t table_find_newest_touched(const struct table *table, unsigned worker) {
    (void)table;
    (void)worker;
    return 0;
}
