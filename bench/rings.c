/* What counting one event in all three rings costs, beside the same counts kept the usual way:
 * counters that all threads share, with atomic additions. In order (each event 1 us after the last)
 * and scattered over a minute; with one and with two threads. CPU time per thread, best of several
 * rounds; the ratios are what to compare between machines. Every run checks that nothing was lost.
 * Usage: bench-rings [directory for the state file, default /tmp] */
#define _GNU_SOURCE /* a processor for each thread */
#include "counters/counters.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define T0 INT64_C(1464433860000000)
/* a block of event times, counted over and over: 32 KiB, stays in the first level cache */
#define EVENTS 4096
#define REPEATS 1000
#define ROUNDS 9
#define THREADS_MAX 2
#define SPAN_S 64 /* the shared counters hold as much as the minute needs */

static struct counters *counters;
static int64_t event_us[EVENTS];

/* The contender: one array a resolution, shared by all. */
static struct {
    _Alignas(64) _Atomic uint64_t ten_ms[SPAN_S * 100];
    _Alignas(64) _Atomic uint64_t s[SPAN_S];
    _Alignas(64) _Atomic uint64_t min[2];
} shared;

static void count_one_by_one(unsigned thread) {
    struct shard *shard = counters_worker_shard(counters, thread);
    for (int i = 0; i < EVENTS; i++) {
        shard_add_owner(shard, event_us[i]);
    }
}

static void count_in_batches(unsigned thread) {
    enum shard_verdict verdict;
    shard_add_batch_owner(counters_worker_shard(counters, thread), event_us, EVENTS, &verdict);
}

static void count_shared(unsigned thread) {
    (void)thread;
    for (int i = 0; i < EVENTS; i++) {
        const uint64_t us = (uint64_t)(event_us[i] - T0);
        atomic_fetch_add_explicit(&shared.ten_ms[us / 10000], 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&shared.s[us / 1000000], 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&shared.min[us / 60000000], 1, memory_order_relaxed);
    }
}

struct runner {
    void (*work)(unsigned thread);
    unsigned thread;
    pthread_barrier_t *start;
    double cpu_ns; /* of this thread, per event */
    pthread_t id;
};

static double clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A processor each, or two threads may share one and never meet. */
static void pin(unsigned thread) {
    cpu_set_t allowed, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof allowed, &allowed)) {
        return;
    }
    const int cpus = CPU_COUNT(&allowed);
    int seen = 0;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &allowed) && seen++ == (int)thread % cpus) {
            CPU_SET(cpu, &one);
        }
    }
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
}

static void *run(void *cls) {
    struct runner *runner = cls;
    pin(runner->thread);
    runner->work(runner->thread); /* pages, caches */
    pthread_barrier_wait(runner->start);
    const double start_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < REPEATS; i++) {
        runner->work(runner->thread);
    }
    runner->cpu_ns = (clock_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns) / REPEATS / EVENTS;
    return NULL;
}

static uint64_t counted(bool is_shared) {
    uint64_t minutes[2] = {0};
    if (is_shared) {
        return atomic_load(&shared.min[0]) + atomic_load(&shared.min[1]);
    }
    counters_read(counters, RESOLUTION_1MIN, window_at(RESOLUTION_1MIN, T0), 2, minutes);
    return minutes[0] + minutes[1];
}

/* ns of CPU per event and thread, the mean of the threads, in the best round. */
static double measure_ns(void (*work)(unsigned), unsigned threads) {
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        struct runner runner[THREADS_MAX];
        pthread_barrier_t start;
        const uint64_t before = counted(work == count_shared);
        double sum = 0;
        pthread_barrier_init(&start, NULL, threads);
        for (unsigned i = 0; i < threads; i++) {
            runner[i] = (struct runner){.work = work, .thread = i, .start = &start};
            if (pthread_create(&runner[i].id, NULL, run, &runner[i])) {
                perror("bench-rings: pthread_create");
                exit(EXIT_FAILURE);
            }
        }
        for (unsigned i = 0; i < threads; i++) {
            pthread_join(runner[i].id, NULL);
            sum += runner[i].cpu_ns;
        }
        pthread_barrier_destroy(&start);
        if (counted(work == count_shared) - before != (uint64_t)threads * (REPEATS + 1) * EVENTS) {
            fprintf(stderr, "bench-rings: events were lost\n");
            exit(EXIT_FAILURE);
        }
        best = sum / threads < best ? sum / threads : best;
    }
    return best;
}

static void print_rows(const char *order) {
    static const struct {
        const char *name;
        void (*work)(unsigned thread);
    } contenders[] = {{"shard_add_owner", count_one_by_one},
                      {"shard_add_batch_owner", count_in_batches},
                      {"shared atomics", count_shared}};
    double one_ns[3], two_ns[3];
    for (int i = 2; i >= 0; i--) {
        one_ns[i] = measure_ns(contenders[i].work, 1);
        two_ns[i] = measure_ns(contenders[i].work, 2);
    }
    for (int i = 0; i < 3; i++) {
        printf("| %-9s | %-21s | %7.2f | %7.2f | %6.2f | %8.1f | %8.1f |\n", order,
               contenders[i].name, one_ns[i], two_ns[i], 2 * one_ns[i] / two_ns[i],
               one_ns[2] / one_ns[i], two_ns[2] / two_ns[i]);
    }
}

int main(int argc, char **argv) {
    char dir[256], command[300], why[COUNTERS_WHY_MAX];
    snprintf(dir, sizeof dir, "%s/aforo-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (!mkdtemp(dir)) {
        perror("bench-rings: cannot make a directory");
        return EXIT_FAILURE;
    }
    const struct counters_config config = {.dir = dir,
                                           .workers = THREADS_MAX,
                                           .horizon_us = 3600 * US_PER_S,
                                           .future_us = 10 * US_PER_S};
    counters = counters_open(&config, NULL, why);
    if (!counters) {
        fprintf(stderr, "bench-rings: %s\n", why);
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < THREADS_MAX; i++) {
        shard_set_now_owner(counters_worker_shard(counters, i), T0 + 60 * US_PER_S);
    }
    printf("| order     | ns per event, thread  | 1 thread | 2 threads | 2 / 1 | x shared, 1 | x "
           "shared, 2 |\n"
           "|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < EVENTS; i++) {
        event_us[i] = T0 + i;
    }
    print_rows("in order");
    for (int i = 0; i < EVENTS; i++) {
        event_us[i] = T0 + (int64_t)((uint32_t)i * 2654435761U) % (60 * US_PER_S);
    }
    print_rows("scattered");
    counters_close(counters);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
