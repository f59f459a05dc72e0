/* A histogram of durations. Its bounds are 1, 2.5 and 5 times a power of ten, from 10 us to 5,000
 * s. Adding one takes a few instructions and no call. */
#ifndef AFORO_COUNTERS_TIME_DURATIONS_H
#define AFORO_COUNTERS_TIME_DURATIONS_H

#include <stdatomic.h>
#include <stdint.h>

#define DURATIONS_BOUNDS 27

/* The bounds in microseconds, followed by one that nothing exceeds. */
extern const uint64_t durations_bound_us[DURATIONS_BOUNDS + 1];

/* The first bound that is not below 2^i. */
extern const uint8_t durations_first[64];

/* One writer, any number of readers. */
struct durations {
    _Atomic uint64_t bucket[DURATIONS_BOUNDS + 1]; /* counts durations up to that bound */
    _Atomic uint64_t sum_us;
};

/* The same without atomics: a sum of several, or one that is guarded by other means. */
struct durations_total {
    uint64_t bucket[DURATIONS_BOUNDS + 1];
    uint64_t sum_us;
};

/* The bucket that counts a duration. Pure. */
static inline unsigned durations_bucket(uint64_t us) {
    /* [2^i, 2^(i+1)) contains at most one bound: each is at least twice the one before */
    const unsigned first = durations_first[63 - __builtin_clzll(us | 1)];
    return first + (us > durations_bound_us[first]);
}

/* Counts one duration. By the one writer. */
static inline void durations_add_owner(struct durations *durations, uint64_t us) {
    _Atomic uint64_t *bucket = &durations->bucket[durations_bucket(us)];
    atomic_store_explicit(bucket, atomic_load_explicit(bucket, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    atomic_store_explicit(&durations->sum_us,
                          atomic_load_explicit(&durations->sum_us, memory_order_relaxed) + us,
                          memory_order_relaxed);
}

/* Adds what was counted to *total. Any thread. */
void durations_sum(const struct durations *durations, struct durations_total *total);

/* The smallest bound that at least per_mille of 1,000 durations do not exceed, among those in
 * *total that are not in *before, an earlier copy of it; 0 when there are none. */
uint64_t durations_bound_of(const struct durations_total *total,
                            const struct durations_total *before, unsigned per_mille);

/* Counts one duration. By whoever guards *total. */
void durations_note(struct durations_total *total, uint64_t us);

#endif
