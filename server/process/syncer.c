#include "server/process/syncer.h"

#include "server/process/clock.h"
#include "server/process/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SYNC_INTERVAL_US US_PER_S

struct syncer {
    struct syncer_config config;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping;
    bool failed; /* the last write failed */
};

/* If the state file is no longer in its place, it vanishes when this process ends, and everything
 * acknowledged with it. */
static void look_for_file(const struct syncer_config *config) {
    char why[COUNTERS_WHY_MAX], quoted[2 * COUNTERS_WHY_MAX];
    const bool lost = !counters_is_in_place(config->counters, why);
    if (lost == atomic_load(config->state_is_lost)) {
        return;
    }
    if (lost) {
        log_line(LOG_ERROR,
                 "the state file is gone: what is counted now is lost when this process ends",
                 "error=%s remedy=\"send clients elsewhere; stop it with SIGTERM, which "
                 "flushes, and start it again\"",
                 log_quote(why, quoted, sizeof quoted));
    } else {
        log_line(LOG_INFO, "the state file is back", "state=%s",
                 log_quote(config->dir, quoted, sizeof quoted));
    }
    atomic_store(config->state_is_lost, lost);
}

static void write_file(struct syncer *syncer) {
    const bool counts = counters_sync(syncer->config.counters);
    const bool ok = (!syncer->config.tables || tables_sync(syncer->config.tables)) && counts;
    if (ok && syncer->failed) {
        char quoted[2 * COUNTERS_WHY_MAX];
        log_line(LOG_INFO, "the state file is written again", "state=%s",
                 log_quote(syncer->config.dir, quoted, sizeof quoted));
    } else if (!ok && !syncer->failed) {
        log_line(LOG_ERROR, "cannot write the state file", "error=\"%s\"", strerror(errno));
    }
    syncer->failed = !ok;
    if (syncer->config.state_is_unwritten) {
        atomic_store(syncer->config.state_is_unwritten, !ok);
    }
}

static void *syncer_main(void *cls) {
    struct syncer *syncer = cls;
    pthread_mutex_lock(&syncer->mutex);
    while (!syncer->stopping) {
        const int64_t next_us = clock_steady_us() + SYNC_INTERVAL_US;
        const struct timespec until = {.tv_sec = next_us / US_PER_S,
                                       .tv_nsec = next_us % US_PER_S * 1000};
        pthread_cond_timedwait(&syncer->wake, &syncer->mutex, &until);
        pthread_mutex_unlock(&syncer->mutex);
        look_for_file(&syncer->config);
        write_file(syncer);
        pthread_mutex_lock(&syncer->mutex);
    }
    pthread_mutex_unlock(&syncer->mutex);
    return NULL;
}

static void syncer_free(struct syncer *syncer) {
    pthread_cond_destroy(&syncer->wake);
    pthread_mutex_destroy(&syncer->mutex);
    free(syncer);
}

struct syncer *syncer_start(const struct syncer_config *config) {
    struct syncer *syncer = calloc(1, sizeof *syncer);
    if (!syncer) {
        return NULL;
    }
    syncer->config = *config;
    pthread_condattr_t steady; /* a wall clock that is set back must not put off the next write */
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_mutex_init(&syncer->mutex, NULL);
    pthread_cond_init(&syncer->wake, &steady);
    pthread_condattr_destroy(&steady);
    if (pthread_create(&syncer->thread, NULL, syncer_main, syncer) != 0) {
        syncer_free(syncer);
        return NULL;
    }
    return syncer;
}

void syncer_stop(struct syncer *syncer) {
    if (!syncer) {
        return;
    }
    pthread_mutex_lock(&syncer->mutex);
    syncer->stopping = true;
    pthread_cond_signal(&syncer->wake);
    pthread_mutex_unlock(&syncer->mutex);
    pthread_join(syncer->thread, NULL);
    syncer_free(syncer);
}
