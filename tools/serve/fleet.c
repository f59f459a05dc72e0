#include "tools/serve/fleet_internal.h"

#include "server/process/clock.h"
#include "server/process/log.h"
#include "tools/console/source_redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BACK_OFF_FIRST_US (100 * US_PER_MS)
#define BACK_OFF_LAST_US US_PER_S
#define REASON_US (10 * US_PER_S)

/* ---- here and away ---- */

int64_t fleet_horizon_us(const struct fleet *fleet) {
    return fleet->config.horizon_us;
}

bool fleet_is_here(struct fleet *fleet, char *why) {
    pthread_mutex_lock(&fleet->mutex);
    const bool here = !fleet->away;
    if (!here) {
        snprintf(why, FLEET_WHY_MAX, "%s", fleet->why);
    }
    pthread_mutex_unlock(&fleet->mutex);
    return here;
}

void fleet_why(struct fleet *fleet, char *why) {
    pthread_mutex_lock(&fleet->mutex);
    snprintf(why, FLEET_WHY_MAX, "%s", fleet->why);
    pthread_mutex_unlock(&fleet->mutex);
}

/* With the mutex held. */
static void log_reason(struct fleet *fleet, const char *why) {
    char quoted[2 * FLEET_WHY_MAX];
    snprintf(fleet->said, FLEET_WHY_MAX, "%s", why);
    log_line(LOG_WARN, "Redis cannot be read", "error=%s", log_quote(why, quoted, sizeof quoted));
}

bool fleet_fail(struct fleet *fleet, const char *sentence) {
    const bool lost = !link_connected(fleet->link);
    pthread_mutex_lock(&fleet->mutex);
    snprintf(fleet->why, FLEET_WHY_MAX, "%s", sentence);
    fleet->away = lost;
    log_reason(fleet, sentence);
    pthread_cond_signal(&fleet->wake);
    pthread_mutex_unlock(&fleet->mutex);
    return false;
}

/* With the mutex held: waits for `us`, or until the fleet must stop. */
static void wait_us(struct fleet *fleet, int64_t us) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    const int64_t ns = until.tv_nsec + us * 1000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    while (!fleet->stopping && pthread_cond_timedwait(&fleet->wake, &fleet->mutex, &until) == 0) {
    }
}

/* With the mutex held: logs a reason that differs from the last one logged, before anybody asks for
 * a page. If two reasons alternate, it logs every ten seconds. */
static void log_new_reason(struct fleet *fleet, const char *why) {
    if (strcmp(why, fleet->said) != 0 &&
        log_digest_add(&fleet->reasons, 1, clock_steady_us(), REASON_US) > 0) {
        log_reason(fleet, why);
    }
}

/* Called with the mutex held; releases it while Redis is asked. */
static void heal(struct fleet *fleet) {
    char why[FLEET_WHY_MAX];
    int64_t back_off_us = BACK_OFF_FIRST_US;
    while (!fleet->stopping && fleet->away) {
        pthread_mutex_unlock(&fleet->mutex);
        const bool here = fleet->source->ops->ready(fleet->source, why);
        pthread_mutex_lock(&fleet->mutex);
        fleet->away = !here;
        fleet->healed_us = clock_steady_us();
        if (here) {
            *fleet->said = '\0';
            log_line(LOG_INFO, "Redis answers", "%s", "");
        } else {
            log_new_reason(fleet, why);
            snprintf(fleet->why, FLEET_WHY_MAX, "%s", why);
            wait_us(fleet, back_off_us);
            back_off_us = 2 * back_off_us < BACK_OFF_LAST_US ? 2 * back_off_us : BACK_OFF_LAST_US;
        }
    }
}

static void *run_healer(void *cls) {
    struct fleet *fleet = cls;
    pthread_mutex_lock(&fleet->mutex);
    while (!fleet->stopping) {
        if (fleet->away) {
            heal(fleet);
        } else {
            pthread_cond_wait(&fleet->wake, &fleet->mutex);
        }
    }
    pthread_mutex_unlock(&fleet->mutex);
    return NULL;
}

/* ---- start and stop ---- */

static void free_fleet(struct fleet *fleet) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        free(fleet->chunk[r]);
    }
    if (fleet->source) {
        fleet->source->ops->close(fleet->source);
    }
    for (size_t i = 0; i < FLEET_ANSWERS; i++) {
        fleet_free_answer(&fleet->answer[i]);
    }
    free(fleet->node);
    free(fleet->shown);
    free(fleet);
}

static bool make_fleet(struct fleet *fleet, char *why) {
    const struct source_config config = {.place = fleet->config.redis,
                                         .redis_tls = fleet->config.redis_tls,
                                         .timeout_us = fleet->config.timeout_us,
                                         .horizon_us = fleet->config.horizon_us};
    snprintf(why, FLEET_WHY_MAX, "out of memory");
    for (int r = 0; r < RESOLUTIONS; r++) {
        fleet->chunk[r] = calloc(FLEET_CHUNKS, sizeof *fleet->chunk[r]);
        if (!fleet->chunk[r]) {
            return false;
        }
    }
    fleet->source = source_redis_new(&config, why);
    fleet->link = fleet->source ? source_redis_peek(fleet->source) : NULL;
    return fleet->source != NULL;
}

struct fleet *fleet_start(const struct fleet_config *config) {
    char why[FLEET_WHY_MAX] = "out of memory";
    struct fleet *fleet = calloc(1, sizeof *fleet);
    if (!fleet) {
        fprintf(stderr, "aforo: serve: %s\n", why);
        return NULL;
    }
    fleet->config = *config;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&fleet->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&fleet->mutex, NULL);
    fleet->away = true; /* so that the healer makes the first connection */
    snprintf(fleet->why, sizeof fleet->why, "redis: not connected yet");
    if (!make_fleet(fleet, why) || pthread_create(&fleet->healer, NULL, run_healer, fleet) != 0) {
        fprintf(stderr, "aforo: serve: %s\n", fleet->source ? "no thread could be started" : why);
        free_fleet(fleet);
        return NULL;
    }
    return fleet;
}

void fleet_stop(struct fleet *fleet) {
    pthread_mutex_lock(&fleet->mutex);
    fleet->stopping = true;
    pthread_cond_signal(&fleet->wake);
    pthread_mutex_unlock(&fleet->mutex);
    pthread_join(fleet->healer, NULL);
    pthread_mutex_destroy(&fleet->mutex);
    pthread_cond_destroy(&fleet->wake);
    free_fleet(fleet);
}
