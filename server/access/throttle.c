#include "server/access/throttle.h"

#include "server/net/address_table.h"

#include <stdatomic.h>
#include <stdlib.h>

#define TIME_BITS 44
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
#define UNITS_PER_US 16
#define UNITS_PER_S (UINT64_C(1000000) * UNITS_PER_US)
#define AHEAD_MAX (4 * UNITS_PER_S) /* more than the workers' clocks differ by */
/* Tries of the compare-and-swap. Each that fails was beaten by another request that was admitted to
 * this bucket, so the client exceeds its limit and is refused before it can use up as many tries as
 * the highest limit. */
#define TRIES (1 << 20)

struct throttle {
    struct address_table *buckets;
    uint64_t interval; /* units between requests of a client at its limit */
};

uint64_t throttle_find_client(const struct throttle *throttle, const struct sockaddr *address) {
    return address_table_hash(throttle->buckets, address);
}

/* ---- buckets ---- */

/* How many units remain until a bucket is full; 0: it is full. Times have 44 bits and wrap around
 * after 12.7 days: one that seems to be far ahead is long past. */
static uint64_t measure_debt(uint64_t word, uint64_t now) {
    const uint64_t ahead = (word - now) & TIME_MASK;
    return ahead <= AHEAD_MAX ? ahead : 0;
}

/* The client's bucket; else the one of its set that is nearest to being full, since forgetting it
 * matters least. */
static address_word *find_bucket(address_word *set, uint64_t tag, uint64_t now, uint64_t *word) {
    address_word *best = NULL;
    uint64_t best_word = 0;
    for (int i = 0; i < ADDRESS_TABLE_WAYS; i++) {
        const uint64_t seen = atomic_load_explicit(&set[i], memory_order_relaxed);
        if (seen >> TIME_BITS == tag) {
            *word = seen;
            return &set[i];
        }
        if (!best || measure_debt(seen, now) < measure_debt(best_word, now)) {
            best = &set[i];
            best_word = seen;
        }
    }
    *word = best_word;
    return best;
}

bool throttle_admit(struct throttle *throttle, uint64_t client, int64_t now_us) {
    address_word *set = address_table_set(throttle->buckets, client);
    const uint64_t tag = client >> TIME_BITS;
    const uint64_t now = (uint64_t)now_us * UNITS_PER_US & TIME_MASK;
    for (int i = 0; i < TRIES; i++) {
        uint64_t word;
        address_word *bucket = find_bucket(set, tag, now, &word);
        const uint64_t owed =
            (word >> TIME_BITS == tag ? measure_debt(word, now) : 0) + throttle->interval;
        if (owed > UNITS_PER_S) {
            return false;
        }
        /* A bucket is one word, and nothing else is published with it, so no ordering is needed. */
        if (atomic_compare_exchange_strong_explicit(bucket, &word,
                                                    tag << TIME_BITS | ((now + owed) & TIME_MASK),
                                                    memory_order_relaxed, memory_order_relaxed)) {
            return true;
        }
    }
    /* A million other requests changed this bucket in one instant; that is no reason to refuse this
     * one. */
    return true;
}

struct throttle *throttle_new(int64_t rate_per_s) {
    struct throttle *throttle = calloc(1, sizeof *throttle);
    if (!throttle) {
        return NULL;
    }
    throttle->buckets = address_table_new();
    if (!throttle->buckets) {
        free(throttle);
        return NULL;
    }
    throttle->interval = (UNITS_PER_S + (uint64_t)rate_per_s / 2) / (uint64_t)rate_per_s;
    return throttle;
}

void throttle_free(struct throttle *throttle) {
    if (throttle) {
        address_table_free(throttle->buckets);
        free(throttle);
    }
}
