#include "counters/time/durations.h"

#define DECADE(us) (us), (us)*5 / 2, (us)*5

const uint64_t durations_bound_us[DURATIONS_BOUNDS + 1] = {
    DECADE(10),       DECADE(100),       DECADE(1000),
    DECADE(10000),    DECADE(100000),    DECADE(1000000),
    DECADE(10000000), DECADE(100000000), DECADE(UINT64_C(1000000000)),
    UINT64_MAX};

const uint8_t durations_first[64] = {
    0,  0,  0,  0,  1,  2,  3,  4,  5,  6,  7,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 16,
    17, 18, 19, 20, 21, 22, 23, 24, 25, 25, 26, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27,
    27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27,
};

void durations_sum(const struct durations *durations, struct durations_total *total) {
    for (int i = 0; i <= DURATIONS_BOUNDS; i++) {
        total->bucket[i] +=
            atomic_load_explicit((_Atomic uint64_t *)&durations->bucket[i], memory_order_relaxed);
    }
    total->sum_us +=
        atomic_load_explicit((_Atomic uint64_t *)&durations->sum_us, memory_order_relaxed);
}

uint64_t durations_bound_of(const struct durations_total *total,
                            const struct durations_total *before, unsigned per_mille) {
    uint64_t all = 0, within = 0;
    for (int i = 0; i <= DURATIONS_BOUNDS; i++) {
        all += total->bucket[i] - before->bucket[i];
    }
    int i = 0;
    while (i < DURATIONS_BOUNDS) {
        within += total->bucket[i] - before->bucket[i];
        if (within * 1000 >= all * per_mille) {
            break;
        }
        i++;
    }
    return all > 0 ? durations_bound_us[i] : 0;
}

void durations_note(struct durations_total *total, uint64_t us) {
    total->bucket[durations_bucket(us)]++;
    total->sum_us += us;
}
