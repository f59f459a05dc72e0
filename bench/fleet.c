/* N nodes without their HTTP: the real counters, the real flush, the real store, against a real
 * Redis, once an interval each, in which every 10 ms window of every node has changed: the worst
 * there is. The nodes' turns are spread evenly over the interval, as those of servers that were
 * started at any moment are; some threads drive them all, each node has a connection of its own.
 * bench/fleet starts it and Redis, and makes the table.
 *
 *   bench-fleet URL NODES SECONDS DIR [INTERVAL_MS]
 *
 * Says "steady" when all nodes flush, "measured" SECONDS later, and then what it saw. */
#include "counters/rings/shard.h"
#include "server/flush/flush.h"
#include "server/flush/store_redis.h"
#include "server/process/clock.h"
#include "server/process/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define THREADS 16
#define WARM_S 3
#define HORIZON_S 3
#define COUNT_EACH 1000 /* events in a window, about: of a node that takes 100,000 a second */

struct node {
    struct counters *counters;
    struct flush *flush;
    int64_t window; /* the open one, as of the last turn */
    uint64_t events;
};

struct driver {
    pthread_t thread;
    unsigned first;    /* nodes first, first + THREADS, ... */
    uint32_t *took_us; /* of each measured turn */
    size_t turns, late, room;
};

static struct node *nodes;
static unsigned node_count;
static int64_t start_us, interval_us = US_PER_S;
static atomic_bool measuring, stopping;

__attribute__((noreturn)) static void die(const char *what, const char *why) {
    fprintf(stderr, "bench-fleet: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static void node_make(unsigned i, const char *url, const char *dir) {
    char path[512], id[32], why[COUNTERS_WHY_MAX] = "";
    snprintf(path, sizeof path, "%s/%u", dir, i);
    snprintf(id, sizeof id, "node-%05u", i);
    const int64_t horizon_us = HORIZON_S * US_PER_S;
    const struct counters_config config = {.dir = path,
                                           .node_id = id,
                                           .workers = 1,
                                           .horizon_us = horizon_us,
                                           .keep_us = {horizon_us, horizon_us, horizon_us}};
    struct node *node = &nodes[i];
    node->counters = counters_open(&config, NULL, why);
    if (!node->counters) {
        die("state", why);
    }
    char owner[COUNTERS_OWNER_MAX];
    counters_owner(node->counters, owner);
    const struct store_redis_config redis = {.url = url,
                                             .node_id = id,
                                             .owner = owner,
                                             .ttl_s = {7200, 604800, 34560000},
                                             .horizon_s = HORIZON_S,
                                             .timeout_ms = 5000};
    struct store *store = store_redis_new(&redis, why);
    if (!store) {
        die(url, why);
    }
    node->flush = flush_new(&(struct flush_config){.counters = node->counters,
                                                   .store = store,
                                                   .interval_us = interval_us},
                            why);
    if (!node->flush) {
        die("flush", why);
    }
}

/* Events in every window since the last turn, the one that was open then and the one that is open
 * now included. They go into the read-back shard, where counts can be raised by any number at once;
 * to the flush all shards are one sum. */
static void node_count_up(struct node *node) {
    struct shard *shard = counters_readback_shard(node->counters);
    const int64_t now_us = clock_wall_us(), open = window_at(RESOLUTION_10MS, now_us);
    const int64_t oldest = open - (HORIZON_S - 1) * 100;
    int64_t window = node->window && node->window > oldest ? node->window : open;
    for (; window <= open; window++) {
        const int64_t us = window_start_us(RESOLUTION_10MS, window);
        const uint64_t by = COUNT_EACH + (uint64_t)window % 97;
        for (int r = 0; r < RESOLUTIONS; r++) {
            shard_raise_owner(shard, (enum resolution)r, window_at((enum resolution)r, us), by);
        }
        node->events += by;
    }
    node->window = open;
}

static void sleep_until(int64_t us) {
    const struct timespec until = {.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void turn(struct driver *driver, struct node *node, int64_t due_us) {
    sleep_until(due_us);
    node_count_up(node);
    const int64_t before_us = clock_steady_us();
    flush_turn(node->flush);
    if (atomic_load(&measuring) && driver->turns < driver->room) {
        driver->took_us[driver->turns++] = (uint32_t)(clock_steady_us() - before_us);
        driver->late += before_us - due_us > interval_us;
    }
}

static void *drive(void *cls) {
    struct driver *driver = cls;
    for (int64_t round = 0; !atomic_load(&stopping); round++) {
        for (unsigned i = driver->first; i < node_count; i += THREADS) {
            turn(driver, &nodes[i],
                 start_us + round * interval_us + (int64_t)i * interval_us / node_count);
        }
        if (driver->first >= node_count) {
            break;
        }
    }
    return NULL;
}

static int compare(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int64_t cpu_us(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * US_PER_S + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

/* All that was counted is to be acknowledged: what is left goes out now. */
static uint64_t settle(uint64_t *errors) {
    uint64_t events = 0;
    for (unsigned i = 0; i < node_count; i++) {
        const int64_t before_us = clock_steady_us();
        struct flush_status status = {0};
        for (int tries = 0; tries < 5 && status.last_flush_us < before_us; tries++) {
            flush_turn(nodes[i].flush);
            flush_status(nodes[i].flush, &status);
        }
        if (status.last_flush_us < before_us) {
            die("a node could not flush", status.last_error);
        }
        *errors += status.errors;
        events += nodes[i].events;
    }
    return events;
}

static void report(struct driver *drivers, int seconds, int64_t used_us) {
    size_t turns = 0, late = 0;
    uint64_t errors = 0;
    for (unsigned t = 0; t < THREADS; t++) {
        turns += drivers[t].turns;
        late += drivers[t].late;
    }
    uint32_t *all = calloc(turns + 1, sizeof *all);
    if (!all || !turns) {
        die("report", "no turn was measured");
    }
    size_t n = 0;
    for (unsigned t = 0; t < THREADS; t++) {
        memcpy(all + n, drivers[t].took_us, drivers[t].turns * sizeof *all);
        n += drivers[t].turns;
    }
    qsort(all, n, sizeof *all, compare);
    const uint64_t events = settle(&errors);
    printf("done flushes_per_s=%.1f late=%zu p50_us=%u p99_us=%u max_us=%u cpu_us=%" PRId64
           " errors=%" PRIu64 " events=%" PRIu64 "\n",
           (double)n / seconds, late, all[n / 2], all[n * 99 / 100], all[n - 1], used_us, errors,
           events);
    free(all);
}

int main(int argc, char **argv) {
    const int seconds = argc > 3 ? atoi(argv[3]) : 0;
    const int interval_ms = argc > 5 ? atoi(argv[5]) : 1000;
    interval_us = interval_ms * US_PER_MS;
    node_count = argc > 4 ? (unsigned)atoi(argv[2]) : 0;
    if (node_count < 1 || node_count > 99999 || seconds < 1 || interval_ms < 10) {
        fprintf(stderr, "bench-fleet URL NODES SECONDS DIR [INTERVAL_MS]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_WARN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    nodes = calloc(node_count, sizeof *nodes);
    struct driver drivers[THREADS] = {0};
    for (unsigned i = 0; nodes && i < node_count; i++) {
        node_make(i, argv[1], argv[4]);
        node_count_up(&nodes[i]);
        flush_turn(nodes[i].flush); /* connects, and reads back */
    }
    start_us = clock_steady_us() + US_PER_S;
    for (unsigned t = 0; t < THREADS; t++) {
        drivers[t].first = t;
        drivers[t].room = (size_t)(node_count / THREADS + 1) * (size_t)(seconds + 2) *
                          (size_t)(1000 / interval_ms + 1);
        drivers[t].took_us = calloc(drivers[t].room, sizeof *drivers[t].took_us);
        if (!nodes || !drivers[t].took_us ||
            pthread_create(&drivers[t].thread, NULL, drive, &drivers[t])) {
            die("starting", "out of memory or threads");
        }
    }
    sleep_until(start_us + WARM_S * US_PER_S);
    puts("steady");
    const int64_t before_us = cpu_us();
    atomic_store(&measuring, true);
    sleep_until(start_us + (WARM_S + seconds) * US_PER_S);
    atomic_store(&measuring, false);
    const int64_t used_us = cpu_us() - before_us;
    puts("measured");
    atomic_store(&stopping, true);
    for (unsigned t = 0; t < THREADS; t++) {
        pthread_join(drivers[t].thread, NULL);
    }
    report(drivers, seconds, used_us);
    for (unsigned i = 0; i < node_count; i++) {
        flush_free(nodes[i].flush);
        counters_close(nodes[i].counters);
    }
    free(nodes);
    for (unsigned t = 0; t < THREADS; t++) {
        free(drivers[t].took_us);
    }
    return EXIT_SUCCESS;
}
