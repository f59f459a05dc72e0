/* What may stand in a state directory at start, and what is said to it: taken as it was, mended, or
 * refused with a sentence; never a crash, never a wrong number. */
#include "counters/state/state_file.h"

#include "tests/formats/state_v1.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define FLIPS 20000
#define FILE_MAX_BYTES (64 * 1024)

static _Alignas(RING_PAGE) unsigned char whole[FILE_MAX_BYTES]; /* a file closed in order */
static size_t whole_bytes;

static size_t load(const char *name, unsigned char *bytes, size_t cap) {
    char path[PATH_MAX_TEST];
    state_path(name, path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    const ssize_t n = read(fd, bytes, cap);
    ck_assert_int_gt(n, 0);
    close(fd);
    return (size_t)n;
}

static void store(const char *name, const void *bytes, size_t n) {
    char path[PATH_MAX_TEST];
    state_path(name, path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
    close(fd);
}

/* Opens with `config`; it must be refused in a sentence that holds all of the given words, and
 * change nothing. */
static void must_refuse(const struct counters_config *config, const char *word,
                        const char *another) {
    char why[COUNTERS_WHY_MAX] = "";
    struct counters *counters = counters_open(config, NULL, why);
    DEMAND(counters == NULL, "it was taken");
    DEMAND(strstr(why, word) && strstr(why, another), "\"%s\" does not say %s, %s", why, word,
           another);
}

static void fill(struct counters *counters) {
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

static void setup(void) {
    state_dir_make();
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    fill(counters);
    counters_close(counters);
    whole_bytes = load(STATE_FILE_NAME, whole, sizeof whole);
    ck_assert_uint_lt(whole_bytes, sizeof whole);
}

static void put_whole(void) {
    store(STATE_FILE_NAME, whole, whole_bytes);
}

/* Everything that can be read, in one number. */
static uint64_t all_reads(const struct counters *counters) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (int r = 0; r < RESOLUTIONS; r++) {
        uint64_t count[600];
        int64_t oldest = 0, newest = 0;
        const int64_t first =
            chunk_first_window((enum resolution)r, T0 / chunk_width_us((enum resolution)r) - 2);
        counters_read(counters, (enum resolution)r, first, 600, count);
        counters_span(counters, (enum resolution)r, &oldest, &newest);
        for (int i = 0; i < 600; i++) {
            hash = (hash ^ count[i]) * UINT64_C(0x100000001b3);
        }
        hash = (hash ^ (uint64_t)oldest) * UINT64_C(0x100000001b3);
        hash = (hash ^ (uint64_t)newest) * UINT64_C(0x100000001b3);
    }
    struct shard_tally tally;
    counters_tally(counters, &tally);
    hash = (hash ^ tally.received) * UINT64_C(0x100000001b3);
    hash = (hash ^ tally.counted) * UINT64_C(0x100000001b3);
    for (int i = 0; i < COUNTERS_REASONS; i++) {
        hash = (hash ^ tally.refused[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static uint64_t expected_reads(void) {
    char why[COUNTERS_WHY_MAX] = "";
    struct counters *reader = counters_open_readonly(state_dir, why);
    ck_assert_msg(reader != NULL, "%s", why);
    const uint64_t reads = all_reads(reader);
    counters_close(reader);
    return reads;
}

/* ---- what is refused ---- */

START_TEST(foreign_short_and_truncated_files) {
    const struct counters_config config = tiny_config(1);
    static const char text[4096] = "not a state file at all";
    store(STATE_FILE_NAME, text, sizeof text);
    must_refuse(&config, "is not a state file of aforo", state_dir);
    for (size_t n = 0; n < whole_bytes; n += n < sizeof(struct state_header) + 8 ? 1 : 509) {
        store(STATE_FILE_NAME, whole, n);
        char why[COUNTERS_WHY_MAX] = "";
        DEMAND(counters_open(&config, NULL, why) == NULL && strstr(why, state_dir), "%zu bytes: %s",
               n, why);
        DEMAND(counters_open_readonly(state_dir, why) == NULL && strstr(why, state_dir),
               "%zu bytes: %s", n, why);
    }
    store(STATE_FILE_NAME, whole, whole_bytes - 1);
    must_refuse(&config, "truncated", "instead of");
    unsigned char after[FILE_MAX_BYTES];
    ck_assert_uint_eq(load(STATE_FILE_NAME, after, sizeof after), whole_bytes - 1);
    ck_assert_int_eq(memcmp(after, whole, whole_bytes - 1), 0); /* refused, and left as it was */
}
END_TEST

START_TEST(another_version_is_named) {
    const struct counters_config config = tiny_config(1);
    struct state_header *header = (struct state_header *)whole;
    header->version = 7;
    put_whole();
    must_refuse(&config, "version 7", "version 1");
}
END_TEST

START_TEST(another_geometry_is_named) {
    struct counters_config config = tiny_config(1);
    config.horizon_us = 3 * US_PER_S;
    must_refuse(&config, "--horizon 1s", "--horizon 3s");
    config = tiny_config(1);
    config.future_us = 2 * US_PER_S;
    must_refuse(&config, "--future 0s", "--future 2s");
    config = tiny_config(1);
    config.keep_us[RESOLUTION_1S] = 3600 * US_PER_S;
    must_refuse(&config, "7/7/7", "7/67/7");
}
END_TEST

START_TEST(the_node_id_stays) {
    struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    char made_up[COUNTERS_NODE_MAX];
    snprintf(made_up, sizeof made_up, "%s", counters_node_id(counters));
    counters_close(counters);
    ck_assert_uint_ge(strlen(made_up), 8);
    config.node_id = made_up;
    counters = open_or_fail(&config);
    ck_assert_str_eq(counters_node_id(counters), made_up);
    counters_close(counters);
    config.node_id = "another";
    must_refuse(&config, made_up, "--node-id another");
    static const char *const wrong[] = {
        "",
        "a b",
        "a:b",
        "a/b",
        "{a}",
        "\n",
        "0123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        config.node_id = wrong[i];
        must_refuse(&config, "node id", "1 to 63");
    }
}
END_TEST

START_TEST(settings_out_of_range) {
    static const int64_t horizons_us[] = {0, US_PER_S - 1, US_PER_S + 1, -US_PER_S,
                                          24 * 3600 * US_PER_S + US_PER_S};
    for (size_t i = 0; i < sizeof horizons_us / sizeof horizons_us[0]; i++) {
        struct counters_config config = tiny_config(1);
        config.horizon_us = horizons_us[i];
        must_refuse(&config, "horizon", "1 s to 24 h");
    }
    struct counters_config config = tiny_config(1);
    config.future_us = -US_PER_S;
    must_refuse(&config, "future", "0 to 1 h");
    config = tiny_config(0);
    must_refuse(&config, "0 workers", "1 to 256");
    config = tiny_config(COUNTERS_WORKERS_MAX + 1);
    must_refuse(&config, "257 workers", "1 to 256");
}
END_TEST

START_TEST(a_second_server_is_refused) {
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    must_refuse(&config, "another server", state_dir);
    char why[COUNTERS_WHY_MAX] = "";
    struct counters *reader = counters_open_readonly(state_dir, why);
    ck_assert_msg(reader != NULL, "%s", why);
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, T0 + US_PER_S);
    ck_assert_int_eq(shard_add_owner(shard, T0 + US_PER_S), SHARD_COUNTED);
    counters_set_now(reader, T0 + US_PER_S); /* what this process knows from its workers */
    ck_assert_uint_eq(all_reads(reader), all_reads(counters)); /* live */
    counters_close(reader);
    counters_close(counters);
    counters = open_or_fail(&config);
    counters_close(counters);
}
END_TEST

/* Runs `refused` as a user who may not do everything. */
static void as_nobody(void (*refused)(void)) {
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(65534) || setuid(65534))) {
            _exit(EXIT_FAILURE);
        }
        refused();
        _exit(EXIT_SUCCESS);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

static void refused_in(const char *dir, const char *word) {
    struct counters_config config = tiny_config(1);
    char why[COUNTERS_WHY_MAX] = "";
    config.dir = dir;
    if (counters_open(&config, NULL, why) != NULL || !strstr(why, word) || !strstr(why, dir)) {
        fprintf(stderr, "\"%s\" does not say %s, %s\n", why, dir, word);
        _exit(EXIT_FAILURE);
    }
}

static void refused_read_only(void) {
    refused_in(state_dir, strerror(EACCES));
}

static void refused_below(void) {
    char below[PATH_MAX_TEST];
    state_path("below", below);
    refused_in(below, "cannot make the state directory");
}

START_TEST(directories_that_will_not_do) {
    char path[PATH_MAX_TEST];
    state_path(STATE_FILE_NAME, path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(chmod(state_dir, 0555), 0);
    as_nobody(refused_read_only);
    as_nobody(refused_below);
    ck_assert_int_eq(chmod(state_dir, 0755), 0);
    state_path("missing/state", path);
    refused_in(path, "cannot make the state directory");
    store("file", "x", 1);
    state_path("file", path);
    refused_in(path, strerror(ENOTDIR));
    state_path("made", path);
    struct counters_config config = tiny_config(1);
    config.dir = path;
    counters_close(open_or_fail(&config)); /* one level is made */
    state_path("made/" STATE_FILE_NAME ".new", path);
    ck_assert_int_ne(access(path, F_OK), 0);
    char why[COUNTERS_WHY_MAX] = "";
    ck_assert_ptr_null(counters_open_readonly("/nonexistent/aforo", why));
    ck_assert_ptr_nonnull(strstr(why, "/nonexistent/aforo"));
}
END_TEST

START_TEST(not_a_regular_file) {
    char path[PATH_MAX_TEST];
    state_path(STATE_FILE_NAME, path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    const struct counters_config config = tiny_config(1);
    must_refuse(&config, state_dir, strerror(EISDIR));
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(a_fifo_is_refused_and_waited_for_by_nobody) {
    char path[PATH_MAX_TEST], why[COUNTERS_WHY_MAX] = "";
    state_path(STATE_FILE_NAME, path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    const struct counters_config config = tiny_config(1);
    must_refuse(&config, state_dir, "is not a regular file");
    ck_assert_ptr_null(counters_open_readonly(state_dir, why));
    ck_assert_ptr_nonnull(strstr(why, "is not a regular file"));
}
END_TEST

START_TEST(a_sparse_file_gets_its_blocks) {
    char path[PATH_MAX_TEST], command[5 * PATH_MAX_TEST];
    struct stat st;
    state_path(STATE_FILE_NAME, path);
    snprintf(command, sizeof command, "cp --sparse=always %s %s.sparse && mv %s.sparse %s", path,
             path, path, path);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_lt(st.st_blocks * 512, st.st_size); /* or this test shows nothing */
    const struct counters_config config = tiny_config(1);
    const uint64_t expected = expected_reads();
    struct counters *counters = open_or_fail(&config);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_ge(st.st_blocks * 512, st.st_size);
    ck_assert_uint_eq(all_reads(counters), expected);
    counters_close(counters);
}
END_TEST

START_TEST(a_limit_of_file_sizes_is_named) {
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit small = {whole_bytes, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    const struct counters_config same = tiny_config(1), more = tiny_config(2);
    counters_close(open_or_fail(&same));
    must_refuse(&more, "ulimit -f", state_dir);
}
END_TEST

START_TEST(a_file_that_is_gone_is_noticed) {
    char path[PATH_MAX_TEST], elsewhere[PATH_MAX_TEST], why[COUNTERS_WHY_MAX] = "";
    const struct counters_config config = tiny_config(1);
    state_path(STATE_FILE_NAME, path);
    state_path("elsewhere", elsewhere);
    struct counters *counters = open_or_fail(&config);
    ck_assert_msg(counters_is_in_place(counters, why), "%s", why);
    ck_assert_int_eq(rename(path, elsewhere), 0);
    ck_assert(!counters_is_in_place(counters, why) && strstr(why, path));
    store(STATE_FILE_NAME, whole, whole_bytes);
    ck_assert(!counters_is_in_place(counters, why) && strstr(why, "another file"));
    ck_assert_int_eq(rename(elsewhere, path), 0);
    ck_assert(counters_is_in_place(counters, why));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert(!counters_is_in_place(counters, why) && strstr(why, "deleted"));
    counters_close(counters);
}
END_TEST

/* ---- copies ---- */

static _Atomic int64_t counted_until_us; /* every event before it is counted */
static _Atomic bool counts;

static void *count_on(void *cls) {
    struct shard *shard = counters_worker_shard(cls, 0);
    for (int64_t t_us = T0; atomic_load(&counts); t_us += 1000) {
        shard_set_now_owner(shard, t_us);
        ck_assert_int_eq(shard_add_owner(shard, t_us), SHARD_COUNTED);
        shard_tally_counted_owner(shard);
        atomic_store(&counted_until_us, t_us + 1000);
    }
    return NULL;
}

/* 1,000 events a second of event time, in rings that go round every few seconds: each copy
 * verifies, is of this node, and holds each second that was counted before it began, and that its
 * rings still have, whole. */
START_TEST(copies_of_a_file_that_is_counted_in) {
    struct counters_config config = tiny_config(1);
    config.horizon_us = 20 * US_PER_S;
    char path[PATH_MAX_TEST], copy[PATH_MAX_TEST], why[COUNTERS_WHY_MAX] = "";
    state_path(STATE_FILE_NAME, path);
    ck_assert_int_eq(unlink(path), 0);
    struct counters *counters = open_or_fail(&config);
    pthread_t thread;
    atomic_store(&counts, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, count_on, counters), 0);
    while (atomic_load(&counted_until_us) < T0 + 60 * US_PER_S) {
        sched_yield();
    }
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "copy%d", i);
        state_path(name, copy);
        const int64_t before_s = atomic_load(&counted_until_us) / US_PER_S;
        ck_assert_msg(counters_backup(state_dir, copy, why), "%s", why);
        struct counters_config asked = config;
        asked.dir = copy;
        asked.node_id = counters_node_id(counters);
        uint64_t repaired = 9;
        struct counters *opened = counters_open(&asked, &repaired, why);
        ck_assert_msg(opened != NULL && repaired == 0, "%s", why);
        must_verify(opened);
        int64_t oldest, newest;
        ck_assert(counters_span(opened, RESOLUTION_10MS, &oldest, &newest));
        DEMAND(newest >= before_s - 1, "the copy ends before it began");
        for (int64_t s = oldest + 1; s < before_s; s++) {
            DEMAND(counters_chunk_total(opened, RESOLUTION_10MS, s) == 1000,
                   "copy %d, second %lld of %lld: %llu", i, (long long)s, (long long)before_s,
                   (unsigned long long)counters_chunk_total(opened, RESOLUTION_10MS, s));
        }
        counters_close(opened);
        ck_assert(!counters_backup(state_dir, copy, why) && strstr(why, "is there already"));
    }
    atomic_store(&counts, false);
    pthread_join(thread, NULL);
    counters_close(counters);
}
END_TEST

/* ---- flipped bits ---- */

/* Refused, or everything reads as before; both by a server and by a reader. */
static void flip_and_look(size_t byte, int bit, uint64_t expected, uint64_t *refused) {
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

START_TEST(each_bit_of_the_header) {
    const uint64_t expected = expected_reads();
    uint64_t refused = 0;
    for (size_t byte = 0; byte < sizeof(struct state_header); byte++) {
        for (int bit = 0; bit < 8; bit++) {
            flip_and_look(byte, bit, expected, &refused);
        }
    }
    ck_assert_uint_eq(refused, sizeof(struct state_header) * 8);
}
END_TEST

/* Each epoch, in places that hold a chunk and in those that do not, each bit; and each bit of a
 * shard's own page. */
START_TEST(each_bit_of_each_epoch_and_statistic) {
    const uint64_t expected = expected_reads();
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    static size_t bytes[4096];
    size_t n = 0;
    for (unsigned i = 0; i < counters->shards; i++) {
        const struct shard *shard = &counters->shard[i];
        for (int r = 0; r < RESOLUTIONS; r++) {
            for (int64_t place = 0; place < shard->ring[r].chunks; place++) {
                const size_t at =
                    (size_t)((unsigned char *)ring_place(&shard->ring[r], place) - counters->map);
                for (size_t b = 0; b < 2 * sizeof(counter); b++) { /* and the total */
                    bytes[n++] = at + b;
                }
            }
        }
        for (size_t b = 0; b < sizeof(struct shard_page); b++) {
            bytes[n++] = (size_t)((unsigned char *)shard->page - counters->map) + b;
        }
    }
    counters_close(counters);
    uint64_t refused = 0;
    for (size_t i = 0; i < n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            flip_and_look(bytes[i], bit, expected, &refused);
        }
    }
    ck_assert_uint_gt(refused, 2 * 21 * 16 * 8 - 1);
}
END_TEST

START_TEST(any_bit) {
    const uint64_t expected = expected_reads();
    uint64_t random = 20261122, refused = 0;
    for (int i = 0; i < FLIPS; i++) {
        const uint64_t at = next_random(&random) % (whole_bytes * 8);
        flip_and_look(at / 8, (int)(at % 8), expected, &refused);
    }
    ck_assert_uint_gt(refused, FLIPS / 2); /* most of the file is counts */
}
END_TEST

/* ---- what is taken and mended ---- */

START_TEST(shards_grow_and_shrink_between_runs) {
    static const unsigned workers[] = {1, 4, 2, 16, 1, 17};
    uint64_t expected = 0;
    char path[PATH_MAX_TEST];
    state_path(STATE_FILE_NAME, path);
    ck_assert_int_eq(unlink(path), 0);
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++) {
        const struct counters_config config = tiny_config(workers[i]);
        struct counters *counters = open_or_fail(&config);
        for (unsigned w = 0; w < workers[i]; w++) {
            struct shard *shard = counters_worker_shard(counters, w);
            shard_set_now_owner(shard, T0);
            ck_assert_int_eq(shard_add_owner(shard, T0), SHARD_COUNTED);
            expected++;
        }
        ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0), expected);
        ck_assert_uint_eq(read_one(counters, RESOLUTION_1MIN, T0), expected);
        must_verify(counters);
        counters_close(counters);
    }
}
END_TEST

START_TEST(a_growth_that_was_cut_short) {
    static unsigned char longer[4 * FILE_MAX_BYTES];
    memcpy(longer, whole, whole_bytes);
    memset(longer + whole_bytes, 0xa5, sizeof longer - whole_bytes);
    store(STATE_FILE_NAME, longer, sizeof longer);
    const uint64_t expected = expected_reads();
    const struct counters_config same = tiny_config(1), more = tiny_config(3);
    struct counters *counters = open_or_fail(&same);
    ck_assert_uint_eq(all_reads(counters), expected);
    counters_close(counters);
    counters = open_or_fail(&more); /* what lies beyond is never taken for counts */
    ck_assert_uint_eq(counters_shards(counters), 4);
    ck_assert_uint_eq(all_reads(counters), expected);
    counters_close(counters);
}
END_TEST

START_TEST(a_half_made_file_is_made_again) {
    char path[PATH_MAX_TEST];
    state_path(STATE_FILE_NAME, path);
    ck_assert_int_eq(unlink(path), 0);
    store(STATE_FILE_NAME ".new", whole, 100);
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0), 0);
    must_verify(counters);
    counters_close(counters);
    state_path(STATE_FILE_NAME ".new", path);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_reader_takes_a_file_whose_rings_went_round) {
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    struct shard *shard = counters_worker_shard(counters, 0);
    for (int64_t s = 0; s < 1000; s++) {
        shard_set_now_owner(shard, T0 + s * 60 * US_PER_S);
        shard_add_arrival_owner(shard, T0 + s * 60 * US_PER_S);
    }
    const uint64_t expected = all_reads(counters);
    char why[COUNTERS_WHY_MAX] = "";
    /* while it is open: taken as it is */
    struct counters *reader = counters_open_readonly(state_dir, why);
    ck_assert_msg(reader != NULL, "%s", why);
    ck_assert_uint_eq(all_reads(reader), expected);
    counters_close(reader);
    counters_close(counters);
    ck_assert_uint_eq(expected_reads(), expected);
}
END_TEST

/* The header as it stands on the disk now. */
static struct state_header header_now(void) {
    static unsigned char now[FILE_MAX_BYTES];
    struct state_header header;
    load(STATE_FILE_NAME, now, sizeof now);
    memcpy(&header, now, sizeof header);
    return header;
}

START_TEST(clean_only_between_close_and_open) {
    const struct counters_config config = tiny_config(1);
    ck_assert_uint_eq(header_now().clean, 1);
    struct counters *counters = open_or_fail(&config);
    ck_assert_uint_eq(header_now().clean, 0);
    ck_assert(!counters_was_read_back(counters));
    ck_assert(counters_set_read_back_owner(counters));
    ck_assert_uint_eq(header_now().clean, 0);
    counters_close(counters);
    ck_assert_uint_eq(header_now().clean, 1);
    counters = open_or_fail(&config);
    ck_assert(counters_was_read_back(counters));
    counters_close(counters);
}
END_TEST

/* FNV-1a over the header: the format's checksum, written a second time. */
static uint64_t checksum_of(const struct state_header *header) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < offsetof(struct state_header, checksum); i++) {
        hash = (hash ^ ((const unsigned char *)header)[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* The file as a machine that lost its power leaves it: not closed, and of another boot. */
static void store_of_another_boot(unsigned char *bytes) {
    struct state_header *header = (struct state_header *)bytes;
    header->clean = 0;
    snprintf(header->boot, sizeof header->boot, "another boot");
    header->checksum = checksum_of(header);
    store(STATE_FILE_NAME, bytes, whole_bytes);
}

static int64_t count_some(struct shard *shard, int64_t t_us, int n, uint64_t *random) {
    for (int i = 0; i < n; i++) {
        t_us += (int64_t)(next_random(random) % (uint64_t)(i % 8 == 0 ? 400 * US_PER_S : US_PER_S));
        shard_set_now_owner(shard, t_us);
        ck_assert_int_eq(shard_add_owner(shard, t_us), SHARD_COUNTED);
    }
    return t_us;
}

static _Alignas(RING_PAGE) unsigned char early[FILE_MAX_BYTES], late[FILE_MAX_BYTES];

/* After a power loss any page may be as it was at one of two moments. The file is taken, every sum
 * holds, no count is higher than it was, and late events for what was half lost keep the sums. */
START_TEST(pages_of_different_moments) {
    const struct counters_config config = tiny_config(1);
    uint64_t random = 20261123;
    for (int i = 0; i < 300; i++) {
        put_whole();
        struct counters *counters = open_or_fail(&config);
        struct shard *shard = counters_worker_shard(counters, 0);
        int64_t t_us = count_some(shard, T0 + 20 * US_PER_S, 20, &random);
        load(STATE_FILE_NAME, early, sizeof early);
        t_us = count_some(shard, t_us, 20, &random);
        load(STATE_FILE_NAME, late, sizeof late);
        const uint64_t newest = read_one(counters, RESOLUTION_1S, t_us);
        counters_close(counters);
        for (size_t page = 1; page < whole_bytes / RING_PAGE; page++) {
            if (next_random(&random) % 2) {
                memcpy(late + page * RING_PAGE, early + page * RING_PAGE, RING_PAGE);
            }
        }
        store_of_another_boot(late);
        counters = open_or_fail(&config);
        must_verify(counters);
        ck_assert_uint_le(read_one(counters, RESOLUTION_1S, t_us), newest);
        shard = counters_worker_shard(counters, 0);
        shard_set_now_owner(shard, t_us);
        for (int n = 0; n < 20; n++) {
            shard_add_owner(shard, t_us - (int64_t)(next_random(&random) % (uint64_t)US_PER_S));
            shard_add_arrival_owner(
                shard, t_us - (int64_t)(next_random(&random) % (uint64_t)(9 * US_PER_S)));
            must_verify(counters);
        }
        counters_close(counters);
        counters_close(open_or_fail(&config));
    }
}
END_TEST

/* A coarser chunk whose epoch belongs to another place is nobody's: what the finer windows still
 * know of it is kept, and the next event of its span agrees with them. */
START_TEST(a_misplaced_chunk_after_a_power_loss) {
    const struct counters_config config = tiny_config(1);
    int tried = 0;
    for (int r = RESOLUTION_1S; r < RESOLUTIONS; r++) {
        put_whole();
        struct counters *counters = open_or_fail(&config);
        const struct shard *shard = counters_worker_shard(counters, 0);
        for (int64_t place = 0; place < shard->ring[r].chunks; place++) {
            struct chunk *chunk = ring_place(&shard->ring[r], place);
            const uint64_t epoch = atomic_load(&chunk->epoch);
            if (epoch == EPOCH_NONE) {
                continue;
            }
            memcpy(late, whole, whole_bytes);
            const size_t at = (size_t)((unsigned char *)chunk - counters->map);
            const uint64_t misplaced = epoch + 1;
            memcpy(late + at, &misplaced, sizeof misplaced);
            counters_close(counters);
            store_of_another_boot(late);
            counters = open_or_fail(&config);
            must_verify(counters);
            struct shard *owner = counters_worker_shard(counters, 0);
            shard = owner; /* the file was opened anew */
            const int64_t t_us = T0 / (60 * US_PER_S) * (60 * US_PER_S);
            for (int64_t second = 0; second < 60; second++) {
                shard_set_now_owner(owner, t_us + second * US_PER_S);
                shard_add_owner(owner, t_us + second * US_PER_S);
                must_verify(counters);
            }
            tried++;
        }
        counters_close(counters);
    }
    ck_assert_int_ge(tried, 2);
}
END_TEST

START_TEST(a_boot_in_between_changes_nothing_that_was_whole) {
    const uint64_t expected = expected_reads();
    const struct counters_config config = tiny_config(1);
    char why[COUNTERS_WHY_MAX] = "";
    memcpy(late, whole, whole_bytes);
    store_of_another_boot(late);
    uint64_t repaired = 99;
    struct counters *counters = counters_open(&config, &repaired, why);
    ck_assert_msg(counters != NULL, "%s", why);
    ck_assert_uint_eq(repaired, 0);
    ck_assert_uint_eq(all_reads(counters), expected);
    uint64_t back;
    counters_read_back_shard(counters, RESOLUTION_1S, T0 / US_PER_S, 1, &back);
    ck_assert_uint_eq(back, 9); /* its minute and its 10 ms windows were never told of */
    counters_close(counters);
}
END_TEST

START_TEST(a_killed_server_that_did_nothing_is_no_repair) {
    const struct counters_config config = tiny_config(2);
    const pid_t pid = fork();
    if (pid == 0) {
        static struct counters *volatile held; /* to the end: nothing leaks */
        char why[COUNTERS_WHY_MAX];
        held = counters_open(&config, NULL, why);
        _exit(held ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(header_now().clean, 0);
    char why[COUNTERS_WHY_MAX] = "";
    uint64_t repaired = 99;
    struct counters *counters = counters_open(&config, &repaired, why);
    ck_assert_msg(counters != NULL, "%s", why);
    ck_assert_uint_eq(repaired, 0);
    counters_close(counters);
}
END_TEST

/* ---- the kept file of each format ---- */

START_TEST(format_version_1_is_read) {
    const int fd = open(AFORO_TESTS_FORMATS "/state_v1.aforo", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    const ssize_t n = read(fd, late, sizeof late);
    close(fd);
    ck_assert_int_eq(n, 11 * RING_PAGE);
    store(STATE_FILE_NAME, late, (size_t)n);
    struct counters_config config = tiny_config(1);
    config.node_id = "fixture";
    struct counters *counters = open_or_fail(&config);
    must_verify(counters);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0), 7);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0 + 10000), 5);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0 + 1990000), 11);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0), 12);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0 + 3 * US_PER_S), 300);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1MIN, T0), 324);
    struct shard_tally tally;
    counters_tally(counters, &tally);
    ck_assert_uint_eq(tally.received, 324);
    counters_close(counters);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        foreign_short_and_truncated_files,
        another_version_is_named,
        another_geometry_is_named,
        the_node_id_stays,
        settings_out_of_range,
        a_second_server_is_refused,
        directories_that_will_not_do,
        not_a_regular_file,
        a_fifo_is_refused_and_waited_for_by_nobody,
        a_sparse_file_gets_its_blocks,
        a_limit_of_file_sizes_is_named,
        a_file_that_is_gone_is_noticed,
        copies_of_a_file_that_is_counted_in,
        each_bit_of_the_header,
        each_bit_of_each_epoch_and_statistic,
        any_bit,
        shards_grow_and_shrink_between_runs,
        a_growth_that_was_cut_short,
        a_half_made_file_is_made_again,
        a_reader_takes_a_file_whose_rings_went_round,
        clean_only_between_close_and_open,
        pages_of_different_moments,
        a_misplaced_chunk_after_a_power_loss,
        a_boot_in_between_changes_nothing_that_was_whole,
        a_killed_server_that_did_nothing_is_no_repair,
        format_version_1_is_read,
    };
    Suite *suite = suite_create("state_file");
    TCase *tcase = tcase_create("state_file");
    tcase_set_timeout(tcase, 100);
    tcase_add_checked_fixture(tcase, setup, state_dir_remove);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
