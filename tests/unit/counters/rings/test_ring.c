/* One ring alone, in plain memory: who lives in which place, and what happens when it changes
 * hands. */
#include "counters/rings/ring.h"

#include "tests/unit/check_main.h"

#include <string.h>

#define CHUNKS 7
#define LAPS 500

static _Alignas(RING_PAGE) unsigned char memory[64 * RING_PAGE];

static struct ring ring_clean(enum resolution r, int64_t chunks) {
    memset(memory, 0, sizeof memory);
    ck_assert_uint_le(ring_bytes(r, chunks), sizeof memory);
    return ring_at(r, memory, chunks);
}

START_TEST(no_chunk_crosses_a_page_or_another) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        for (int64_t chunks = 1; chunks <= 101; chunks++) {
            const struct ring ring = ring_clean((enum resolution)r, chunks);
            const size_t bytes = sizeof(struct chunk) + ring.slots * sizeof(counter);
            size_t end_before = 0;
            for (int64_t place = 0; place < chunks; place++) {
                const size_t start = (size_t)((unsigned char *)ring_place(&ring, place) - memory);
                DEMAND(start >= end_before && start / RING_PAGE == (start + bytes - 1) / RING_PAGE,
                       "place %lld of %lld starts at %zu", (long long)place, (long long)chunks,
                       start);
                DEMAND(start + bytes <= ring_bytes((enum resolution)r, chunks),
                       "beyond the ring's end");
                end_before = start + bytes;
            }
        }
    }
}
END_TEST

static void fill(const struct ring *ring, struct chunk *chunk, uint64_t by) {
    for (uint32_t i = 0; i < ring->slots; i++) {
        chunk_add_owner(chunk, &chunk->count[i], by + i);
    }
}

static uint64_t filled_sum(const struct ring *ring, uint64_t by) {
    return ring->slots * by + (uint64_t)ring->slots * (ring->slots - 1) / 2;
}

static void must_hold(const struct ring *ring, int64_t number, uint64_t by) {
    uint64_t count[SLOTS_MAX] = {0};
    ring_read(ring, number, 0, ring->slots, count);
    for (uint32_t i = 0; i < ring->slots; i++) {
        DEMAND(count[i] == by + i, "chunk %lld slot %u", (long long)number, i);
    }
    DEMAND(ring_total(ring, number) == filled_sum(ring, by), "total of chunk %lld",
           (long long)number);
}

static void must_be_gone(const struct ring *ring, int64_t number) {
    uint64_t count[SLOTS_MAX];
    memset(count, 0x5a, sizeof count);
    ring_read(ring, number, 0, ring->slots, count);
    for (uint32_t i = 0; i < ring->slots; i++) {
        DEMAND(count[i] == UINT64_C(0x5a5a5a5a5a5a5a5a), "chunk %lld slot %u was written",
               (long long)number, i);
    }
    DEMAND(ring_total(ring, number) == 0, "total of chunk %lld", (long long)number);
}

/* After many laps each place holds the newest chunk that was put there, whole, and nothing of the
 * one before. */
START_TEST(many_laps) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct ring ring = ring_clean((enum resolution)r, CHUNKS);
        const int64_t first = 1464433871;
        for (int64_t number = first; number < first + LAPS * CHUNKS; number++) {
            bool recycled = false;
            struct chunk *chunk = ring_claim_owner(&ring, number, &recycled);
            DEMAND(chunk != NULL && recycled, "chunk %lld was not given its place",
                   (long long)number);
            fill(&ring, chunk, (uint64_t)number);
            must_hold(&ring, number, (uint64_t)number);
            must_be_gone(&ring, number + 1);
            must_be_gone(&ring, number - CHUNKS);
            if (number - CHUNKS + 1 >= first) {
                must_hold(&ring, number - CHUNKS + 1, (uint64_t)(number - CHUNKS + 1));
            }
        }
    }
}
END_TEST

START_TEST(a_newer_chunk_is_never_given_up) {
    const struct ring ring = ring_clean(RESOLUTION_1S, CHUNKS);
    bool recycled = false;
    struct chunk *chunk = ring_claim_owner(&ring, 1000, &recycled);
    fill(&ring, chunk, 3);
    recycled = false;
    ck_assert_ptr_null(ring_claim_owner(&ring, 1000 - CHUNKS, &recycled));
    ck_assert_ptr_null(ring_claim_owner(&ring, 1000 - 5 * CHUNKS, &recycled));
    ck_assert_ptr_eq(ring_claim_owner(&ring, 1000, &recycled), chunk);
    ck_assert(!recycled);
    must_hold(&ring, 1000, 3);
    ck_assert_ptr_eq(ring_claim_owner(&ring, 1000 + 1000 * CHUNKS, &recycled), chunk);
    ck_assert(recycled);
    must_be_gone(&ring, 1000);
    ck_assert_uint_eq(ring_total(&ring, 1000 + 1000 * CHUNKS), 0);
}
END_TEST

START_TEST(a_part_of_a_chunk_is_added_to_what_is_there) {
    const struct ring ring = ring_clean(RESOLUTION_1MIN, CHUNKS);
    bool recycled = false;
    fill(&ring, ring_claim_owner(&ring, 50, &recycled), 10);
    uint64_t count[4] = {100, 100, 100, 7};
    ring_read(&ring, 50, 57, 3, count); /* up to the last slot */
    ck_assert_uint_eq(count[0], 167);
    ck_assert_uint_eq(count[1], 168);
    ck_assert_uint_eq(count[2], 169);
    ck_assert_uint_eq(count[3], 7);
}
END_TEST

/* What lets a flipped bit of an epoch be found: no other number a bit away lives in the same place.
 */
START_TEST(a_flipped_bit_names_another_place) {
    for (int64_t chunks = 3; chunks <= 5001; chunks += 2) {
        const struct ring ring = {.chunks = chunks, .per_page = 1, .stride = RING_PAGE};
        for (int bit = 0; bit < 62; bit++) {
            const int64_t number = INT64_C(1464433871);
            DEMAND(ring_place(&ring, number) != ring_place(&ring, number ^ INT64_C(1) << bit),
                   "bit %d in a ring of %lld", bit, (long long)chunks);
        }
    }
}
END_TEST

CHECK_MAIN("ring", no_chunk_crosses_a_page_or_another, many_laps, a_newer_chunk_is_never_given_up,
           a_part_of_a_chunk_is_added_to_what_is_there, a_flipped_bit_names_another_place)
