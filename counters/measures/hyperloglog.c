#include "counters/measures/hyperloglog.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#define SEED UINT64_C(0xadc83b19)
#define RANK_MAX 51
#define RANKS 64               /* that a register can hold */
#define GROUP_WORDS 3          /* contain exactly 32 registers */
#define GROUP_REGISTERS 32     /* of 6 bits: 3 words */
#define MASK UINT64_C(0x3f)    /* of a register */
#define ALPHA 0.72134752044448 /* 1 / (2 ln 2) */

_Static_assert(HLL_WORDS % GROUP_WORDS == 0, "groups are whole");

/* Loads eight bytes, the first lowest. */
static uint64_t load(const char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return le64toh(word);
}

static uint64_t byte_at(const char *bytes, size_t i) {
    return (uint64_t)(unsigned char)bytes[i] << (8 * i);
}

/* Loads one to seven bytes, the first lowest; some are read twice, which beats reading one by
 * one. */
static uint64_t load_rest(const char *bytes, size_t n) {
    if (n < 4) {
        return byte_at(bytes, 0) | byte_at(bytes, n / 2) | byte_at(bytes, n - 1);
    }
    uint32_t low, high;
    memcpy(&low, bytes, sizeof low);
    memcpy(&high, bytes + n - sizeof high, sizeof high);
    return le32toh(low) | (uint64_t)le32toh(high) << (8 * (n - sizeof high));
}

/* MurmurHash64A, by Austin Appleby. */
uint64_t hll_hash(const char *bytes, size_t len) {
    static const uint64_t m = UINT64_C(0xc6a4a7935bd1e995);
    static const int r = 47;
    uint64_t hash = SEED ^ (uint64_t)len * m;
    for (; len >= 8; bytes += 8, len -= 8) {
        uint64_t k = load(bytes) * m;
        k = (k ^ k >> r) * m;
        hash = (hash ^ k) * m;
    }
    if (len > 0) {
        hash = (hash ^ load_rest(bytes, len)) * m;
    }
    hash = (hash ^ hash >> r) * m;
    return hash ^ hash >> r;
}

/* ---- registers, 32 of them at a time ---- */

static uint64_t get_register(const uint64_t group[GROUP_WORDS], unsigned i) {
    const unsigned word = i * HLL_REGISTER_BITS / 64, shift = i * HLL_REGISTER_BITS % 64;
    uint64_t value = group[word] >> shift;
    if (hll_straddles(shift)) {
        value |= group[word + 1] << (64 - shift);
    }
    return value & MASK;
}

static void set_register(uint64_t group[GROUP_WORDS], unsigned i, uint64_t value) {
    const unsigned word = i * HLL_REGISTER_BITS / 64, shift = i * HLL_REGISTER_BITS % 64;
    group[word] = (group[word] & ~(MASK << shift)) | value << shift;
    if (hll_straddles(shift)) {
        group[word + 1] = (group[word + 1] & ~(MASK >> (64 - shift))) | value >> (64 - shift);
    }
}

static bool is_empty(const uint64_t group[GROUP_WORDS]) {
    return (group[0] | group[1] | group[2]) == 0;
}

void hll_merge(uint64_t into[HLL_WORDS], const uint64_t from[HLL_WORDS]) {
    for (size_t at = 0; at < HLL_WORDS; at += GROUP_WORDS) {
        if (is_empty(from + at)) {
            continue;
        }
        if (is_empty(into + at)) {
            memcpy(into + at, from + at, GROUP_WORDS * sizeof *into);
            continue;
        }
        for (unsigned i = 0; i < GROUP_REGISTERS; i++) {
            const uint64_t rank = get_register(from + at, i);
            if (rank > get_register(into + at, i)) {
                set_register(into + at, i, rank);
            }
        }
    }
}

/* ---- the estimate ---- */

/* x + sum over k = 1, 2, ... of x^(2^k) * 2^(k - 1), to the precision of a double. */
static double sigma(double x) {
    double weight = 1, sum = x, before;
    do {
        x *= x;
        before = sum;
        sum += x * weight;
        weight += weight;
    } while (sum != before);
    return sum;
}

/* (1 - x - sum over k = 1, 2, ... of (1 - x^(2^-k))^2 * 2^-k) / 3 */
static double tau(double x) {
    if (x <= 0 || x >= 1) {
        return 0;
    }
    double weight = 1, sum = 1 - x, before;
    do {
        x = sqrt(x);
        before = sum;
        weight *= 0.5;
        sum -= (1 - x) * (1 - x) * weight;
    } while (sum != before);
    return sum / 3;
}

uint64_t hll_estimate(const uint64_t registers[HLL_WORDS]) {
    const double m = HLL_REGISTERS;
    unsigned of_rank[RANKS] = {0};
    for (size_t at = 0; at < HLL_WORDS; at += GROUP_WORDS) {
        if (is_empty(registers + at)) {
            of_rank[0] += GROUP_REGISTERS;
            continue;
        }
        for (unsigned i = 0; i < GROUP_REGISTERS; i++) {
            of_rank[get_register(registers + at, i)]++;
        }
    }
    if (of_rank[0] == HLL_REGISTERS) {
        return 0;
    }
    double z = m * tau((m - of_rank[RANK_MAX]) / m);
    for (int rank = RANK_MAX - 1; rank > 0; rank--) {
        z = (z + of_rank[rank]) * 0.5;
    }
    z += m * sigma(of_rank[0] / m);
    return (uint64_t)llround(ALPHA * m * m / z);
}

/* ---- the string ---- */

static const unsigned char header[HLL_HEADER_BYTES] = {'H', 'Y', 'L', 'L', [15] = 0x80};

#define CACHE_AT 8 /* what follows is not about registers */

void hll_write(const uint64_t registers[HLL_WORDS], unsigned char bytes[HLL_BYTES]) {
    memcpy(bytes, header, sizeof header);
    unsigned char *at = bytes + sizeof header;
    for (size_t i = 0; i < HLL_WORDS; i++) {
        for (unsigned byte = 0; byte < 8; byte++) {
            *at++ = (unsigned char)(registers[i] >> (8 * byte));
        }
    }
}

bool hll_read(uint64_t registers[HLL_WORDS], const unsigned char *bytes, size_t len) {
    if (len != HLL_BYTES || memcmp(bytes, header, CACHE_AT) != 0) {
        return false;
    }
    const char *at = (const char *)bytes + sizeof header;
    for (size_t i = 0; i < HLL_WORDS; i++, at += 8) {
        registers[i] = load(at);
    }
    return true;
}
