#define _GNU_SOURCE /* pthread_setname_np */
#include "eventlog/internal.h"

#include "eventlog/open.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TURN_US INT64_C(100000) /* the log thread wakes up at least this often */
#define TIDY_US INT64_C(1000000)
/* If a shard filled a tail less than this ago, the log thread allocates the next one's pages. */
#define BUSY_US INT64_C(10000000)
#define SEAL_AGAIN_US INT64_C(1000000) /* after it failed */

void log_say(const struct eventlog *log, enum eventlog_grave grave, const char *text,
             const char *format, ...) {
    char details[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(details, sizeof details, format, arguments);
    va_end(arguments);
    log->config.say(log->config.cls, grave, text, details);
}

static int64_t steady_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- tails that are full ---- */

void log_hand_off(struct log_shard *shard, struct tail *tail) {
    struct eventlog *log = shard->log;
    tail->next = NULL;
    atomic_fetch_add_explicit(&log->waiting, 1, memory_order_relaxed);
    pthread_mutex_lock(&log->mutex);
    *shard->full_end = tail;
    shard->full_end = &tail->next;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->mutex);
}

static struct tail *first_full(struct log_shard *shard) {
    pthread_mutex_lock(&shard->log->mutex);
    struct tail *tail = shard->full;
    pthread_mutex_unlock(&shard->log->mutex);
    return tail;
}

static void drop_first_full(struct log_shard *shard) {
    struct eventlog *log = shard->log;
    pthread_mutex_lock(&log->mutex);
    struct tail *tail = shard->full;
    shard->full = tail->next;
    if (!shard->full) {
        shard->full_end = &shard->full;
    }
    pthread_mutex_unlock(&log->mutex);
    atomic_fetch_sub_explicit(&log->waiting, 1, memory_order_relaxed);
    tail_free(tail);
}

bool log_seal_one(struct log_shard *shard, bool *failed) {
    struct eventlog *log = shard->log;
    struct tail *tail = first_full(shard);
    if (!tail) {
        return false;
    }
    char why[SEAL_WHY_MAX] = "";
    shard->filled_us = tail->base ? steady_us() : shard->filled_us;
    const bool ok = seal_tail(&shard->seal, tail, why);
    if (*why && !log->seal_failed && !*failed) {
        log_say(log, EVENTLOG_ERROR, "cannot seal a file of the event log; it stays as it is",
                "shard=%u error=\"%s\"", shard->number, why);
    }
    *failed |= *why != '\0';
    if (ok) {
        atomic_fetch_add_explicit(&log->sealed, 1, memory_order_relaxed);
        drop_first_full(shard);
    }
    return ok;
}

/* ---- the log thread ---- */

static bool is_busy(const struct log_shard *shard) {
    return shard->filled_us && steady_us() - shard->filled_us < BUSY_US;
}

/* Prepares the next tail of each worker. */
static void prepare(void *cls) {
    struct eventlog *log = cls;
    bool full = false;
    for (unsigned i = 0; i < log->shards; i++) {
        struct log_shard *shard = log->shard[i];
        if (!shard->writer || atomic_load_explicit(&shard->prepared, memory_order_acquire)) {
            continue;
        }
        const struct tail_owner owner = {shard->dir_fd, log->node, shard->number};
        struct tail *tail = tail_make(&owner, LOG_PREPARED, log->config.tail_bytes);
        if (!tail && !log->full) {
            log_say(log, EVENTLOG_ERROR,
                    log->config.refuse_when_full
                        ? "no room for the event log: events are refused when it is used up"
                        : "no room for the event log: events are counted and not kept when it is "
                          "used up",
                    "dir=\"%s\" error=\"%s\"", log->path, strerror(errno));
        }
        full |= !tail;
        if (tail && is_busy(shard)) {
            tail_touch(tail);
        }
        if (tail) {
            atomic_store_explicit(&shard->prepared, tail, memory_order_release);
            atomic_store_explicit(&shard->starved, false, memory_order_release);
        }
    }
    if (log->full && !full) {
        log_say(log, EVENTLOG_INFO, "there is room for the event log again", "dir=\"%s\"",
                log->path);
    }
    log->full = full;
}

static bool is_stopping(struct eventlog *log) {
    pthread_mutex_lock(&log->mutex);
    const bool stopping = log->stopping;
    pthread_mutex_unlock(&log->mutex);
    return stopping;
}

static void seal_all(struct eventlog *log) {
    bool more = !log->seal_failed || steady_us() >= log->seal_again_us, failed = false;
    if (!more) {
        return;
    }
    while (more && !is_stopping(log)) {
        more = false;
        for (unsigned i = 0; i < log->shards; i++) {
            more |= log_seal_one(log->shard[i], &failed);
            prepare(log);
        }
    }
    log->seal_failed = failed;
    log->seal_again_us = steady_us() + SEAL_AGAIN_US;
}

/* Only this thread frees tails, so one seen here stays valid meanwhile. */
static void sync_tails(struct eventlog *log) {
    for (unsigned i = 0; i < log->config.workers; i++) {
        struct tail *tail = atomic_load_explicit(&log->writer[i].tail, memory_order_acquire);
        if (tail) {
            fdatasync(tail->fd);
            fsync(log->writer[i].shard->dir_fd);
        }
        if (tail && tail->wide && !is_busy(log->writer[i].shard)) {
            tail_narrow(tail);
        }
    }
}

static void turn(struct eventlog *log) {
    prepare(log);
    seal_all(log);
    const int64_t now_us = steady_us();
    if (now_us - log->synced_us >= log->config.sync_us) {
        log->synced_us = now_us;
        sync_tails(log);
    }
    if (now_us - log->tidied_us >= TIDY_US) {
        log->tidied_us = now_us;
        log_remove_old(log);
    }
}

/* Prepares tails also while a file is being sealed, which may take as long as a busy worker needs
 * to fill one. */
static void set_pause(struct eventlog *log, void (*pause)(void *cls)) {
    for (unsigned i = 0; i < log->shards; i++) {
        log->shard[i]->seal.pause = pause;
        log->shard[i]->seal.cls = log;
    }
}

static void *run_thread(void *cls) {
    struct eventlog *log = cls;
    set_pause(log, prepare);
    while (!is_stopping(log)) {
        turn(log);
        const int64_t until_us = steady_us() + TURN_US;
        const struct timespec until = {.tv_sec = until_us / 1000000,
                                       .tv_nsec = until_us % 1000000 * 1000};
        pthread_mutex_lock(&log->mutex);
        if (!log->stopping) {
            pthread_cond_timedwait(&log->wake, &log->mutex, &until);
        }
        pthread_mutex_unlock(&log->mutex);
    }
    set_pause(log, NULL);
    return NULL;
}

bool eventlog_start(struct eventlog *log) {
    log->started = pthread_create(&log->thread, NULL, run_thread, log) == 0;
    if (log->started) {
        pthread_setname_np(log->thread, "event-log"); /* visible in top -H, and to bench/ */
    }
    return log->started;
}

/* ---- the end ---- */

static void stop_thread(struct eventlog *log) {
    pthread_mutex_lock(&log->mutex);
    log->stopping = true;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->mutex);
    if (log->started) {
        pthread_join(log->thread, NULL);
    }
}

/* When the last records were dropped, an empty tail shows with which number the log continues, so
 * that they are known to be missing. It takes no block of the full disk. */
static void name_next(const struct eventlog_writer *writer) {
    const struct log_shard *shard = writer->shard;
    char name[FILES_NAME_MAX];
    files_name(&(const struct log_file){.first = writer->next}, name);
    const int fd = openat(shard->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0 || fsync(shard->dir_fd)) {
        log_say(shard->log, EVENTLOG_WARN,
                "the numbers of the last events that were not kept cannot be told by the event log",
                "shard=%u next=%" PRIu64 " error=\"%s\"", shard->number, writer->next,
                strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* Closes the tails of the workers, which have ended. */
static void close_writers(struct eventlog *log) {
    for (unsigned i = 0; i < log->config.workers; i++) {
        struct eventlog_writer *writer = &log->writer[i];
        struct tail *tail = atomic_exchange(&writer->tail, NULL);
        if (tail) {
            log_hand_off(writer->shard, tail);
        }
        if (writer->left_out) {
            name_next(writer);
        }
    }
}

void eventlog_close(struct eventlog *log, int64_t deadline_us) {
    if (!log) {
        return;
    }
    stop_thread(log);
    close_writers(log);
    bool failed = false;
    for (unsigned i = 0; i < log->shards; i++) {
        while (steady_us() < deadline_us && log_seal_one(log->shard[i], &failed)) {
        }
        while (log->shard[i]->full) {
            tail_close(log->shard[i]->full);
            drop_first_full(log->shard[i]);
        }
    }
    log_free(log);
}

/* ---- any thread ---- */

struct eventlog_writer *eventlog_writer(struct eventlog *log, unsigned worker) {
    return &log->writer[worker];
}

void eventlog_status(const struct eventlog *log, struct eventlog_status *status) {
    *status = (struct eventlog_status){
        .waiting = atomic_load_explicit(&log->waiting, memory_order_relaxed),
        .sealed = atomic_load_explicit(&log->sealed, memory_order_relaxed),
        .removed = atomic_load_explicit(&log->removed, memory_order_relaxed),
        .removed_bytes = atomic_load_explicit(&log->removed_bytes, memory_order_relaxed)};
    for (unsigned i = 0; i < log->config.workers; i++) {
        const struct eventlog_writer *writer = &log->writer[i];
        status->records += atomic_load_explicit(&writer->records, memory_order_relaxed);
        status->dropped += atomic_load_explicit(&writer->dropped, memory_order_relaxed);
    }
}
