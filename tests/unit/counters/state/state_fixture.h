/* What the tests of the file behind the rings share: a small file closed in order, and ways to
 * change it. */
#ifndef AFORO_TESTS_UNIT_STATE_FIXTURE_H
#define AFORO_TESTS_UNIT_STATE_FIXTURE_H

#include "counters/state/fnv.h"
#include "counters/state/header.h"
#include "tests/formats/state_v1.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <fcntl.h>
#include <string.h>

#define FILE_MAX_BYTES (64 * 1024)

static _Alignas(RING_PAGE) unsigned char whole[FILE_MAX_BYTES]; /* a file closed in order */
static size_t whole_bytes;

static inline size_t load(const char *name, unsigned char *bytes, size_t cap) {
    char path[PATH_MAX_TEST];
    state_path(name, path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    const ssize_t n = read(fd, bytes, cap);
    ck_assert_int_gt(n, 0);
    close(fd);
    return (size_t)n;
}

static inline void store(const char *name, const void *bytes, size_t n) {
    char path[PATH_MAX_TEST];
    state_path(name, path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
    close(fd);
}

/* Opens with `config`; it must be refused in a sentence that holds all of the given words, and
 * change nothing. */
static inline void must_refuse(const struct counters_config *config, const char *word,
                               const char *another) {
    char why[COUNTERS_WHY_MAX] = "";
    struct counters *counters = counters_open(config, NULL, why);
    DEMAND(counters == NULL, "it was taken");
    DEMAND(strstr(why, word) && strstr(why, another), "\"%s\" does not say %s, %s", why, word,
           another);
}

static inline void fill(struct counters *counters) {
    for (size_t i = 0; i < sizeof state_v1_events / sizeof state_v1_events[0]; i++) {
        const struct state_v1_event *event = &state_v1_events[i];
        struct shard *shard = counters_worker_shard(counters, event->worker);
        shard_set_now_owner(shard, event->us);
        for (unsigned n = 0; n < event->times; n++) {
            ck_assert_int_eq(shard_add_owner(shard, event->us), SHARD_COUNTED);
            shard_tally_counted_owner(shard);
        }
    }
    const struct shard_tally refused = {.received = 3, .refused = {1, 2}};
    shard_tally_owner(counters_worker_shard(counters, 0), &refused);
    shard_raise_owner(counters_readback_shard(counters), RESOLUTION_1S, T0 / US_PER_S, 9);
}

static inline void make_whole(void) {
    state_dir_make();
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    fill(counters);
    counters_close(counters);
    whole_bytes = load(STATE_FILE_NAME, whole, sizeof whole);
    ck_assert_uint_lt(whole_bytes, sizeof whole);
}

static inline void put_whole(void) {
    store(STATE_FILE_NAME, whole, whole_bytes);
}

/* Everything that can be read, in one number. */
static inline uint64_t all_reads(const struct counters *counters) {
    uint64_t hash = FNV1A64_BASIS;
    for (int r = 0; r < RESOLUTIONS; r++) {
        uint64_t count[600];
        int64_t span[2] = {0, 0};
        const int64_t first =
            chunk_first_window((enum resolution)r, T0 / chunk_width_us((enum resolution)r) - 2);
        counters_read(counters, (enum resolution)r, first, 600, count);
        counters_span(counters, (enum resolution)r, &span[0], &span[1]);
        hash = fnv1a64(fnv1a64(hash, count, sizeof count), span, sizeof span);
    }
    struct shard_tally tally;
    counters_tally(counters, &tally);
    return fnv1a64(hash, &tally, sizeof tally);
}

static inline uint64_t expected_reads(void) {
    char why[COUNTERS_WHY_MAX] = "";
    struct counters *reader = counters_open_readonly(state_dir, why);
    ck_assert_msg(reader != NULL, "%s", why);
    const uint64_t reads = all_reads(reader);
    counters_close(reader);
    return reads;
}

/* The header as it stands on the disk now. */
static inline struct state_header header_now(void) {
    static unsigned char now[FILE_MAX_BYTES];
    struct state_header header;
    load(STATE_FILE_NAME, now, sizeof now);
    memcpy(&header, now, sizeof header);
    return header;
}

/* Refused, or everything reads as before; both by a server and by a reader. */
static inline void flip_and_look(size_t byte, int bit, uint64_t expected, uint64_t *refused) {
    const struct counters_config config = tiny_config(1);
    char why[COUNTERS_WHY_MAX] = "";
    whole[byte] ^= (unsigned char)(1 << bit);
    put_whole();
    whole[byte] ^= (unsigned char)(1 << bit);
    struct counters *reader = counters_open_readonly(state_dir, why);
    DEMAND(!reader || all_reads(reader) == expected,
           "bit %d of byte %zu: a reader sees another number", bit, byte);
    DEMAND(reader || strstr(why, state_dir), "bit %d of byte %zu: \"%s\"", bit, byte, why);
    counters_close(reader);
    struct counters *counters = counters_open(&config, NULL, why);
    DEMAND(counters || strstr(why, state_dir), "bit %d of byte %zu: \"%s\"", bit, byte, why);
    DEMAND(!counters || all_reads(counters) == expected, "bit %d of byte %zu: another number", bit,
           byte);
    *refused += counters == NULL;
    counters_close(counters);
}

/* Runs the tests, each with the whole file in a directory of its own; gives main's exit status. */
static inline int check_main_in_state_dir(const char *name, const TTest *const *tests, size_t n) {
    const struct check_fixture each = {100, make_whole, state_dir_remove};
    return check_run(check_suite(name, &each, tests, n));
}

#endif
