#include "server/access/throttle.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SETS_BITS 13
#define SETS (UINT64_C(1) << SETS_BITS)
#define WAYS 8
#define TIME_BITS 44
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
#define UNITS_PER_US 16
#define UNITS_PER_S (UINT64_C(1000000) * UNITS_PER_US)
#define AHEAD_MAX (4 * UNITS_PER_S) /* the workers' ideas of now differ by less */
/* Of the compare-and-swap. Each failure is another request that got through, which fills this
 * bucket by one: it is full, and we refuse, before a client's own requests can use up more tries
 * than the greatest limit has. */
#define TRIES (1 << 20)

typedef _Atomic uint64_t bucket;

struct throttle {
    _Alignas(64) bucket bucket[SETS][WAYS];
    uint64_t key[2];
    uint64_t interval; /* units between requests of a client at its limit */
};

/* ---- addresses ---- */

static uint64_t rotated(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotated(v[1], 13) ^ v[0];
    v[3] = rotated(v[3], 16) ^ v[2];
    v[0] = rotated(v[0], 32) + v[3];
    v[2] += v[1];
    v[3] = rotated(v[3], 21) ^ v[0];
    v[1] = rotated(v[1], 17) ^ v[2];
    v[2] = rotated(v[2], 32);
}

uint64_t throttle_hash(const uint64_t key[2], uint64_t bytes) {
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                     key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    const uint64_t words[2] = {bytes, UINT64_C(8) << 56}; /* the last word ends with the length */
    for (int i = 0; i < 2; i++) {
        v[3] ^= words[i];
        sip_round(v);
        sip_round(v);
        v[0] ^= words[i];
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t throttle_client(const struct throttle *throttle, const struct sockaddr *address) {
    uint64_t bytes = 0;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        bytes = UINT64_C(0xffff) << 32 |
                in.sin_addr.s_addr; /* no prefix that IPv6 gives to anybody begins with zeros */
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
            uint32_t mapped;
            memcpy(&mapped, &in6.sin6_addr.s6_addr[12], sizeof mapped);
            bytes = UINT64_C(0xffff) << 32 | mapped;
        } else {
            memcpy(&bytes, in6.sin6_addr.s6_addr, sizeof bytes);
        }
    }
    return throttle_hash(throttle->key, bytes);
}

/* ---- buckets ---- */

/* Units until a bucket is full; 0: it is. Times are of 44 bits and come round after 12.7 days: what
 * would be full only far ahead has been full for long. */
static uint64_t debt(uint64_t word, uint64_t now) {
    const uint64_t ahead = (word - now) & TIME_MASK;
    return ahead <= AHEAD_MAX ? ahead : 0;
}

/* This client's bucket, else the one of its set that is nearest to being full, which loses least
 * when it is forgotten. */
static bucket *find(bucket set[WAYS], uint64_t tag, uint64_t now, uint64_t *word) {
    bucket *best = NULL;
    uint64_t best_word = 0;
    for (int i = 0; i < WAYS; i++) {
        const uint64_t seen = atomic_load_explicit(&set[i], memory_order_relaxed);
        if (seen >> TIME_BITS == tag) {
            *word = seen;
            return &set[i];
        }
        if (!best || debt(seen, now) < debt(best_word, now)) {
            best = &set[i];
            best_word = seen;
        }
    }
    *word = best_word;
    return best;
}

bool throttle_admit(struct throttle *throttle, uint64_t client, int64_t now_us) {
    bucket *set = throttle->bucket[client & (SETS - 1)];
    const uint64_t tag = client >> TIME_BITS;
    const uint64_t now = (uint64_t)now_us * UNITS_PER_US & TIME_MASK;
    for (int i = 0; i < TRIES; i++) {
        uint64_t word;
        bucket *place = find(set, tag, now, &word);
        const uint64_t owed = (word >> TIME_BITS == tag ? debt(word, now) : 0) + throttle->interval;
        if (owed > UNITS_PER_S) {
            return false;
        }
        /* A bucket is a word, and nothing else is published with it: no order is needed. */
        if (atomic_compare_exchange_strong_explicit(place, &word,
                                                    tag << TIME_BITS | ((now + owed) & TIME_MASK),
                                                    memory_order_relaxed, memory_order_relaxed)) {
            return true;
        }
    }
    /* a million others took and lost this place in one instant: no reason to refuse this one */
    return true;
}

struct throttle *throttle_new(int64_t rate_per_s) {
    struct throttle *throttle = aligned_alloc(64, sizeof *throttle);
    if (!throttle) {
        return NULL;
    }
    memset(throttle, 0, sizeof *throttle);
    if (getrandom(throttle->key, sizeof throttle->key, 0) != (ssize_t)sizeof throttle->key) {
        free(throttle);
        return NULL;
    }
    throttle->interval = (UNITS_PER_S + (uint64_t)rate_per_s / 2) / (uint64_t)rate_per_s;
    return throttle;
}

void throttle_free(struct throttle *throttle) {
    free(throttle);
}
