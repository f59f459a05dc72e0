/* Estimates how many keys found no room in a window: HyperLogLog (Flajolet, Fusy, Gandouet,
 * Meunier, 2007) with 1,024 one-byte registers, error 3 %. It tells how much memory a report would
 * have needed; no count depends on it, so it is neither noted for undo nor exact. */
#include "counters/rows/table_file.h"

#include <math.h>

#define REGISTER_BITS 10

/* About how many different keys were noted in estimate_window. */
static uint64_t estimate_noted(const struct section_page *page) {
    double sum = 0;
    unsigned empty = 0;
    for (int i = 0; i < TABLE_ESTIMATE_REGISTERS; i++) {
        const unsigned r = atomic_load_explicit(&page->estimate[i], memory_order_relaxed);
        sum += 1.0 / (double)(UINT64_C(1) << (r & 63));
        empty += r == 0;
    }
    const double n = TABLE_ESTIMATE_REGISTERS, raw = 0.7213 / (1 + 1.079 / n) * n * n / sum;
    return (uint64_t)((raw <= 2.5 * n && empty ? n * log(n / empty) : raw) + 0.5);
}

uint64_t estimate_keys_wanted(const struct section_page *page) {
    const uint64_t before = load(&page->wanted);
    const uint64_t rows = load(&page->estimate_rows);
    const uint64_t now = rows + estimate_noted(page);
    return now > before ? now : before;
}

/* Starts another window, after remembering how many keys the earlier ones would have had. */
static void begin_window(struct section_page *page, int64_t window) {
    store(&page->wanted, estimate_keys_wanted(page));
    for (int i = 0; i < TABLE_ESTIMATE_REGISTERS; i++) {
        atomic_store_explicit(&page->estimate[i], 0, memory_order_relaxed);
    }
    store(&page->estimate_window, (uint64_t)window);
}

void estimate_add_owner(struct section_page *page, int64_t window, uint64_t rows, uint64_t hash) {
    const uint64_t present = load(&page->estimate_window);
    if ((uint64_t)window < present) {
        return; /* one late event must not end the window being estimated */
    }
    if ((uint64_t)window > present) {
        begin_window(page, window);
    }
    store(&page->estimate_rows, rows);
    _Atomic uint8_t *r = &page->estimate[hash >> (64 - REGISTER_BITS)];
    const uint8_t rank = (uint8_t)(1 + __builtin_clzll((hash << REGISTER_BITS) | 1));
    if (rank > atomic_load_explicit(r, memory_order_relaxed)) {
        atomic_store_explicit(r, rank, memory_order_relaxed);
    }
}
