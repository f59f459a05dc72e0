#include "tests/redis/driver.h"

#include "redis/reader.h"
#include "tests/redis/lab.h"

#include <check.h>
#include <string.h>

#define FIRST_US INT64_C(1795000000000000) /* 2026-11-18T11:06:40: any moment will do */

struct store *driver_store(const char *url, const char *node, int64_t timeout_ms) {
    const struct store_redis_config config = {.url = url,
                                              .node_id = node,
                                              .owner = node,
                                              .ttl_s = {7200, 604800, 34560000},
                                              .horizon_s = 3600,
                                              .timeout_ms = timeout_ms};
    char why[STORE_WHY_MAX] = "";
    struct store *store = store_redis_new(&config, why);
    ck_assert_msg(store != NULL, "%s", why);
    return store;
}

static enum resolution resolution_of(unsigned chunk) {
    return (enum resolution)(chunk % RESOLUTIONS);
}

void driver_begin(struct driver *driver, struct store *store) {
    *driver = (struct driver){.store = store};
    for (unsigned i = 0; i < DRIVER_CHUNKS; i++) {
        const enum resolution r = resolution_of(i);
        driver->chunk[i] =
            (struct store_chunk){.place = {r, FIRST_US / chunk_width_us(r) + i / RESOLUTIONS},
                                 .n = 2,
                                 .slot = {7, (uint8_t)(resolution_table[r].slots - 1)}};
        driver->acked[i] = true;
    }
}

void driver_end(struct driver *driver) {
    driver->store->ops->close(driver->store);
}

void driver_count(struct driver *driver, unsigned first, unsigned n) {
    for (unsigned i = first; i < first + n; i++) {
        struct store_chunk *chunk = &driver->chunk[i % DRIVER_CHUNKS];
        chunk->count[chunk->count[0] > chunk->count[1]]++;
        driver->acked[i % DRIVER_CHUNKS] = false;
    }
}

static void forget(struct driver *driver) {
    for (unsigned i = 0; i < DRIVER_CHUNKS; i++) {
        driver->acked[i] = driver->chunk[i].count[0] == 0;
    }
}

/* One pipeline of what is not acknowledged from chunk `first` on; returns where the next begins.
 * *lost: the store has less of a chunk than it had acknowledged. */
static unsigned send_some(struct driver *driver, unsigned first, bool *lost) {
    struct store_chunk batch[STORE_SEND_MAX];
    struct store_ack ack[STORE_SEND_MAX];
    unsigned which[STORE_SEND_MAX], n = 0;
    for (; first < DRIVER_CHUNKS && n < STORE_SEND_MAX; first++) {
        if (!driver->acked[first]) {
            which[n] = first;
            batch[n++] = driver->chunk[first];
        }
    }
    driver->failures += n && !driver->store->ops->send(driver->store, batch, n, ack, driver->why);
    for (unsigned i = 0; i < n; i++) {
        struct store_chunk *chunk = &driver->chunk[which[i]];
        driver->acked[which[i]] = ack[i].outcome == STORE_STORED;
        if (ack[i].outcome == STORE_STORED) {
            *lost = *lost || ack[i].had < chunk->there;
            chunk->there = batch[i].count[0] + batch[i].count[1];
        }
    }
    return first;
}

void driver_turn(struct driver *driver) {
    struct store *store = driver->store;
    if (!store->ops->connected(store)) {
        if (!store->ops->connect(store, driver->why)) {
            driver->failures++;
            return;
        }
        driver->connects++;
        forget(driver);
    }
    bool lost = false;
    for (unsigned i = 0; i < DRIVER_CHUNKS;) {
        i = send_some(driver, i, &lost);
    }
    if (lost) {
        driver->losses++;
        forget(driver);
    }
}

static unsigned unacknowledged(const struct driver *driver) {
    unsigned n = 0;
    for (unsigned i = 0; i < DRIVER_CHUNKS; i++) {
        n += !driver->acked[i];
    }
    return n + !driver->store->ops->connected(driver->store);
}

void driver_settle(struct driver *driver, int64_t timeout_ms) {
    const int64_t end = lab_now_ms() + timeout_ms;
    do {
        driver_turn(driver);
        if (unacknowledged(driver)) {
            lab_sleep_ms(20);
        }
    } while (unacknowledged(driver) && lab_now_ms() < end);
    ck_assert_msg(!unacknowledged(driver), "%u chunks are not acknowledged: %s",
                  unacknowledged(driver), driver->why);
}

struct compared {
    const struct driver *driver;
    unsigned windows;
};

static uint64_t counted(const struct driver *driver, enum resolution r, int64_t window) {
    for (unsigned i = 0; i < DRIVER_CHUNKS; i++) {
        const struct store_chunk *chunk = &driver->chunk[i];
        for (uint32_t slot = 0; slot < chunk->n; slot++) {
            if (chunk->place.resolution == r &&
                chunk_first_window(r, chunk->place.chunk) + chunk->slot[slot] == window) {
                return chunk->count[slot];
            }
        }
    }
    return 0;
}

static void compare_part(void *cls, const struct store_part *part) {
    struct compared *compared = cls;
    uint64_t sum = 0;
    for (uint32_t slot = 0; slot < resolution_table[part->place.resolution].slots; slot++) {
        const uint64_t expected =
            counted(compared->driver, part->place.resolution,
                    chunk_first_window(part->place.resolution, part->place.chunk) + slot);
        ck_assert_uint_eq(part->count[slot], expected);
        compared->windows += part->count[slot] > 0;
        sum += expected;
    }
    ck_assert_uint_eq(part->sum, sum);
}

/* The same by the cheap way, which the flush takes once a second. */
static void check_sums(struct driver *driver) {
    for (unsigned i = 0; i < DRIVER_CHUNKS; i += STORE_SEND_MAX) {
        struct store_place places[STORE_SEND_MAX];
        uint64_t sums[STORE_SEND_MAX];
        size_t n = 0;
        for (; n < STORE_SEND_MAX && i + n < DRIVER_CHUNKS; n++) {
            places[n] = driver->chunk[i + n].place;
        }
        ck_assert_msg(driver->store->ops->sums(
                          driver->store, &(struct store_sums){places, n, sums, NULL}, driver->why),
                      "%s", driver->why);
        for (size_t at = 0; at < n; at++) {
            ck_assert_uint_eq(sums[at],
                              driver->chunk[i + at].count[0] + driver->chunk[i + at].count[1]);
        }
    }
}

void driver_check(struct driver *driver, const char *url) {
    char why[LINK_WHY_MAX] = "";
    struct redis_url parsed;
    ck_assert_msg(redis_url_parse(url, &parsed, why), "%s", why);
    struct link *link = link_new(&parsed, 5000);
    ck_assert_msg(link_connect(link, why), "%s", why);
    unsigned windows = 0;
    struct compared compared = {.driver = driver};
    for (unsigned i = 0; i < DRIVER_CHUNKS; i++) {
        windows +=
            (driver->chunk[i].count[0] > 0 ? 1u : 0u) + (driver->chunk[i].count[1] > 0 ? 1u : 0u);
    }
    for (int r = 0; r < RESOLUTIONS; r++) {
        const enum resolution res = (enum resolution)r;
        const int64_t first = FIRST_US / chunk_width_us(res);
        const uint32_t n = DRIVER_CHUNKS / RESOLUTIONS, slots = resolution_table[r].slots;
        uint64_t counts[DRIVER_CHUNKS / RESOLUTIONS * SLOTS_MAX];
        ck_assert_msg(reader_read_totals(link, (struct chunk_range){res, first, n}, counts, why),
                      "%s", why);
        for (uint32_t i = 0; i < n * slots; i++) {
            ck_assert_uint_eq(counts[i], counted(driver, res, chunk_first_window(res, first) + i));
        }
        ck_assert_msg(
            driver->store->ops->read_back(driver->store, (struct chunk_range){res, first, n},
                                          &(struct store_taker){compare_part, &compared}, why),
            "%s", why);
    }
    ck_assert_uint_eq(compared.windows, windows);
    check_sums(driver);
    link_free(link);
}
