#include "tests/faults/load/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* of 1/16 of a power of two */
#define BUCKETS 640

static uint64_t bucket[BUCKETS];
static uint64_t phase_requests, phase_max_us;
static int64_t phase_start_us;

static size_t bucket_of(uint64_t us) {
    if (us < 16) {
        return us;
    }
    const unsigned e = 63U - (unsigned)__builtin_clzll(us);
    const size_t i = (size_t)(e - 3) * 16 + ((us >> (e - 4)) & 15);
    return i < BUCKETS ? i : BUCKETS - 1;
}

static uint64_t bucket_floor_us(size_t i) {
    return i < 16 ? i : (UINT64_C(16) + i % 16) << (i / 16 - 1);
}

static uint64_t percentile_us(double share) {
    uint64_t left = (uint64_t)((double)phase_requests * share);
    for (size_t i = 0; i < BUCKETS; i++) {
        if (bucket[i] > left) {
            return bucket_floor_us(i);
        }
        left -= bucket[i];
    }
    return phase_max_us;
}

void phase_begin(void) {
    memset(bucket, 0, sizeof bucket);
    phase_requests = phase_max_us = 0;
    phase_start_us = clock_us(CLOCK_MONOTONIC);
}

void phase_print(void) {
    const double seconds = (double)(clock_us(CLOCK_MONOTONIC) - phase_start_us) / 1e6;
    printf("phase seconds=%.3f requests=%" PRIu64 " rate=%.0f p50_us=%" PRIu64 " p99_us=%" PRIu64
           " max_us=%" PRIu64 "\n",
           seconds, phase_requests, (double)phase_requests / seconds, percentile_us(0.50),
           percentile_us(0.99), phase_max_us);
}

void phase_note(uint64_t us) {
    bucket[bucket_of(us)]++;
    phase_requests++;
    phase_max_us = us > phase_max_us ? us : phase_max_us;
}
