/* What the tests of the flush share: a node with real counters in a directory of its own, the fake
 * store, and the flush between them, without a thread. */
#ifndef AFORO_TESTS_UNIT_FLUSH_FIXTURE_H
#define AFORO_TESTS_UNIT_FLUSH_FIXTURE_H

#include "counters/state/reference.h"
#include "server/flush/internal.h"
#include "tests/unit/check_main.h"
#include "tests/unit/server/flush/fake_store.h"
#include "tests/unit/state_dir.h"

#include <string.h>

#define NODE "north"
#define HORIZON_US (20 * US_PER_S)
#define FUTURE_US (2 * US_PER_S)
#define INTERVAL_US (100 * US_PER_MS)

static struct fake_store fake;
static struct counters *counters;
static struct flush *flush;

static inline void open_counters(void) {
    const struct counters_config config = {.dir = state_dir,
                                           .node_id = NODE,
                                           .workers = 1,
                                           .horizon_us = HORIZON_US,
                                           .future_us = FUTURE_US};
    counters = open_or_fail(&config);
}

static inline void open_node(void) {
    char why[COUNTERS_WHY_MAX] = "";
    open_counters();
    counters_set_now(counters, fake_wall_us);
    flush = flush_new(&(struct flush_config){.counters = counters,
                                             .store = &fake.store,
                                             .interval_us = INTERVAL_US},
                      why);
    ck_assert_msg(flush != NULL, "%s", why);
}

static inline void close_node(void) {
    flush_free(flush);
    counters_close(counters);
    ck_assert(fake.closed);
}

/* The same server once more, in the same directory. */
static inline void restart_node(void) {
    close_node();
    fake.connected = fake.closed = false;
    open_node();
}

static inline void make_node(void) {
    state_dir_make();
    fake_store_make(&fake);
    open_node();
}

static inline void remove_node(void) {
    close_node();
    state_dir_remove();
}

/* Events at a time that is not ahead of the wall clock, which stays as it is. */
static inline void count(int64_t us, unsigned times) {
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, fake_wall_us);
    for (unsigned i = 0; i < times; i++) {
        ck_assert_int_eq(shard_add_owner(shard, us), SHARD_COUNTED);
    }
}

/* Connects and does all that comes before the first pass, and that pass. */
static inline void begin_sending(void) {
    flush_turn(flush);
    ck_assert_int_eq(flush->state, FLUSH_SENDING);
}

/* The same with three events of T0, and the store's calls counted from there. */
static inline void begin_sent(void) {
    count(T0, 3);
    begin_sending();
    fake.sent = 0;
    fake.sends = 0;
}

/* The memory of the chunk that a moment is in. */
static inline struct known_chunk *known_of(enum resolution r, int64_t us) {
    return known_at(&flush->known, r, window_chunk(r, window_at(r, us)));
}

static inline uint64_t sent_of(enum resolution r, int64_t us) {
    return known_of(r, us)->sent[window_slot(r, window_at(r, us))];
}

/* What others report of the window of a moment. */
static inline uint64_t others_of(enum resolution r, int64_t us) {
    const uint64_t *others = known_others(&flush->known, r, window_chunk(r, window_at(r, us)));
    return others ? others[window_slot(r, window_at(r, us))] : 0;
}

/* What this node reports of the window of a moment. */
static inline uint64_t ours_of(enum resolution r, int64_t us) {
    uint64_t ours[SLOTS_MAX];
    known_ours(&flush->known, counters, r, window_chunk(r, window_at(r, us)), ours);
    return ours[window_slot(r, window_at(r, us))];
}

static inline uint64_t stored(enum resolution r, int64_t us) {
    return fake_store_count(&fake, r, window_at(r, us));
}

static inline struct store_part *part_of(enum resolution r, int64_t us) {
    return fake_store_part(&fake, r, window_chunk(r, window_at(r, us)));
}

static inline int check_main_of_node(const char *name, const TTest *const *tests, size_t n) {
    const struct check_fixture each = {100, make_node, remove_node};
    return check_run(check_suite(name, &each, tests, n));
}

#define CHECK_MAIN_OF_NODE(name, ...)                                                              \
    int main(void) {                                                                               \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return check_main_of_node(name, tests, sizeof tests / sizeof tests[0]);                    \
    }

#endif
