/* What counting one event in keyed rows costs: a report of count, sum, first and last with 2,000
 * keys, in one window width, within a transaction, beside the dense windows. Against the same work
 * in a table that knows neither windows, crashes nor readers. CPU time, best of several rounds; and
 * the bytes of a row. Every run checks that nothing was lost.
 * Usage: bench-rows [directory for the files, default /tmp] */
#include "counters/rows/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define T0 INT64_C(1464433860000000)
#define KEYS 2000
#define KEY_BYTES 16
/* a block of events, counted over and over */
#define EVENTS 8192
#define REPEATS 100
#define ROUNDS 9
#define TABLES 3 /* and one whose keys find no room but for a few */
#define KEYS_FULL 20
#define HORIZON_US (3600 * US_PER_S)
#define STATE_WORDS 5 /* count, sum of what is above 0 and below, first, last */

static struct counters *counters;
static struct tables *tables;
static struct table *table[TABLES + 1];
static struct table_section *section[TABLES + 1];
static char key[KEYS][KEY_BYTES + 1];
static uint16_t event_key[EVENTS];
static int64_t event_us[EVENTS];
static unsigned first_report, reports;

static void put(struct undo *undo, struct table_row *row, size_t i, uint64_t value) {
    undo_put_owner(undo, row->file, &row->state[i], value);
}

static uint64_t get(const struct table_row *row, size_t i) {
    return atomic_load_explicit(&row->state[i], memory_order_relaxed);
}

/* The four measures as they are; those of counters/measures are measured on their own. */
static void add(struct undo *undo, struct table_row *row, int64_t us, uint64_t value) {
    put(undo, row, 0, get(row, 0) + 1);
    put(undo, row, 1, get(row, 1) + value);
    if (get(row, 3) == 0 || (uint64_t)us < get(row, 3)) {
        put(undo, row, 3, (uint64_t)us);
    }
    if ((uint64_t)us > get(row, 4)) {
        put(undo, row, 4, (uint64_t)us);
    }
}

static void fail(const char *what) {
    fprintf(stderr, "bench-rows: %s\n", what);
    exit(EXIT_FAILURE);
}

static void count_rows(void) {
    struct shard *shard = counters_worker_shard(counters, 0);
    struct undo *undo = tables_undo(tables, 1);
    for (int i = 0; i < EVENTS; i++) {
        struct shard_next next;
        if (shard_look_owner(shard, event_us[i], &next) != SHARD_COUNTED) {
            fail("an event has no window");
        }
        undo_begin_owner(undo);
        for (unsigned t = first_report; t < first_report + reports; t++) {
            struct table_row row;
            const struct table_key wanted = {
                .bytes = key[event_key[i]],
                .len = KEY_BYTES,
                .hash = table_hash(table[t], key[event_key[i]], KEY_BYTES)};
            if (!table_touch_owner(section[t], undo, table_window(60 * US_PER_S, event_us[i]),
                                   &wanted, &row)) {
                fail("a row has no window");
            }
            add(undo, &row, event_us[i], (uint64_t)i);
        }
        undo_commit_owner(undo, &(const struct undo_count){next.shard, next.window, next.count});
        shard_add_owner(shard, event_us[i]);
    }
}

static void count_dense(void) {
    struct shard *shard = counters_worker_shard(counters, 0);
    for (int i = 0; i < EVENTS; i++) {
        shard_add_owner(shard, event_us[i]);
    }
}

/* The contender: open addressing, FNV-1a, one run, one window. */
static struct {
    char key[KEY_BYTES];
    uint64_t used, count, sum, first, last;
} plain[4 * 1024];

static void count_plain(void) {
    for (int i = 0; i < EVENTS; i++) {
        const char *bytes = key[event_key[i]];
        uint64_t hash = UINT64_C(0xcbf29ce484222325);
        for (int b = 0; b < KEY_BYTES; b++) {
            hash = (hash ^ (unsigned char)bytes[b]) * UINT64_C(0x100000001b3);
        }
        size_t at = hash % 4096;
        while (plain[at].used && memcmp(plain[at].key, bytes, KEY_BYTES) != 0) {
            at = (at + 1) % 4096;
        }
        if (!plain[at].used) {
            memcpy(plain[at].key, bytes, KEY_BYTES);
            plain[at].used = 1;
            plain[at].first = UINT64_MAX;
        }
        const uint64_t us = (uint64_t)event_us[i];
        plain[at].count++;
        plain[at].sum += (uint64_t)i;
        plain[at].first = us < plain[at].first ? us : plain[at].first;
        plain[at].last = us > plain[at].last ? us : plain[at].last;
    }
}

static double cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double measure_ns(void (*work)(void)) {
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        work();
        const double start_ns = cpu_ns();
        for (int i = 0; i < REPEATS; i++) {
            work();
        }
        const double ns = (cpu_ns() - start_ns) / REPEATS / EVENTS;
        best = ns < best ? ns : best;
    }
    return best;
}

static struct table_config config_of(unsigned i) {
    struct table_config config = {.digest = "0123456789abcdef",
                                  .definition = "bench",
                                  .definition_len = 5,
                                  .widths = 1,
                                  .width_us = {60 * US_PER_S},
                                  .keyed = true,
                                  .state_words = STATE_WORDS,
                                  .memory = 32 << 20,
                                  .keys_max = i == TABLES ? KEYS_FULL : 10000};
    snprintf(config.name, sizeof config.name, "bench%u", i);
    return config;
}

static void open_all(const char *dir) {
    char why[COUNTERS_WHY_MAX] = "";
    const struct counters_config config = {
        .dir = dir, .workers = 1, .horizon_us = HORIZON_US, .future_us = 10 * US_PER_S};
    counters = counters_open(&config, NULL, why);
    tables = counters ? tables_open(counters, 1, true, NULL, NULL, why) : NULL;
    if (!tables) {
        fail(why);
    }
    shard_set_now_owner(counters_worker_shard(counters, 0), T0 + 60 * US_PER_S);
    for (unsigned i = 0; i <= TABLES; i++) {
        const struct table_config of = config_of(i);
        table[i] = tables_get(tables, &of, why);
        if (!table[i]) {
            fail(why);
        }
        section[i] = table_section(table[i], 1, 0);
        table_set_now_owner(section[i], T0 + 60 * US_PER_S);
    }
}

static bool sum_counts(void *cls, const struct table_copy *copy) {
    *(uint64_t *)cls += copy->state[0];
    return true;
}

static void check_counts(void) {
    for (unsigned i = 0; i <= TABLES; i++) {
        uint64_t rows = 0;
        const struct table_taker taker = {sum_counts, &rows};
        const uint64_t wanted =
            (uint64_t)(i < TABLES ? TABLES - i : 1) * ROUNDS * (REPEATS + 1) * EVENTS;
        if (!table_read(table[i], 0, table_window(60 * US_PER_S, T0), &taker) || rows != wanted) {
            fail("events were lost");
        }
    }
}

int main(int argc, char **argv) {
    char dir[256], command[300];
    snprintf(dir, sizeof dir, "%s/aforo-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (!mkdtemp(dir)) {
        perror("bench-rows: cannot make a directory");
        return EXIT_FAILURE;
    }
    open_all(dir);
    uint32_t x = 12345;
    for (int i = 0; i < EVENTS; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        event_key[i] = (uint16_t)(x % KEYS);
        event_us[i] = T0 + i;
    }
    for (int i = 0; i < KEYS; i++) {
        snprintf(key[i], sizeof key[i], "AA%05d\x1f%08d", i, i % 500);
    }
    const double dense_ns = measure_ns(count_dense), plain_ns = measure_ns(count_plain);
    printf("| what                         | ns per event | beyond the dense windows | x plain |\n"
           "|---|---|---|---|\n");
    printf("| dense windows alone          | %12.1f | %24.1f | %7.2f |\n", dense_ns, 0.0,
           dense_ns / plain_ns);
    printf("| plain table, one window      | %12.1f | %24s | %7.2f |\n", plain_ns, "", 1.0);
    for (reports = 1; reports <= TABLES; reports++) {
        const double ns = measure_ns(count_rows);
        printf("| and %u keyed row%s of 4 measures | %12.1f | %24.1f | %7.2f |\n", reports,
               reports == 1 ? " " : "s", ns, ns - dense_ns, ns / plain_ns);
    }
    first_report = TABLES;
    reports = 1;
    const double full_ns = measure_ns(count_rows);
    printf("| and 1 row, keys beyond the most | %9.1f | %24.1f | %7.2f |\n", full_ns,
           full_ns - dense_ns, full_ns / plain_ns);
    check_counts();
    const struct table_config config = config_of(0);
    printf("a row with a key of %d bytes: %zu bytes\n", KEY_BYTES,
           table_row_bytes(&config, KEY_BYTES));
    tables_close(tables);
    counters_close(counters);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
