#include "server/eventlog/event_log.h"

#include "server/process/log.h"

#include <stdio.h>

static bool is_counted(void *cls, uint64_t shard, uint64_t window, uint64_t count) {
    return counters_shard_count(cls, shard, (int64_t)window) == count;
}

static void say(void *cls, enum eventlog_grave grave, const char *text, const char *details) {
    static const enum log_level levels[] = {
        [EVENTLOG_INFO] = LOG_INFO, [EVENTLOG_WARN] = LOG_WARN, [EVENTLOG_ERROR] = LOG_ERROR};
    (void)cls;
    log_line(levels[grave], text, "%s", details);
}

bool event_log_open(const struct options *options, struct counters *counters, unsigned workers,
                    struct eventlog **log) {
    char why[EVENTLOG_WHY_MAX];
    if (!*options->event_log) {
        if (options->event_log_size > 0 || options->event_log_keep > 0 ||
            options->event_log_when_full == WHEN_FULL_REFUSE) {
            log_line(LOG_WARN, "settings of the event log have no meaning: no event is kept",
                     "missing=--event-log");
        }
        return true;
    }
    const struct eventlog_config config = {.dir = options->event_log,
                                           .node = counters_node_id(counters),
                                           .workers = workers,
                                           .size_bytes = options->event_log_size,
                                           .keep_us = options->event_log_keep,
                                           .sync_us = options->event_log_sync,
                                           .refuse_when_full =
                                               options->event_log_when_full == WHEN_FULL_REFUSE,
                                           .judge = {is_counted, counters},
                                           .say = say};
    *log = eventlog_open(&config, why);
    if (!*log) {
        fprintf(stderr, "aforod: --event-log: %s\n", why);
        return false;
    }
    if (!eventlog_start(*log)) {
        fprintf(stderr, "aforod: out of threads\n");
        return false;
    }
    return true;
}

void event_log_close(struct eventlog *log, int64_t deadline_us) {
    struct eventlog_status status = {0};
    if (log) {
        eventlog_status(log, &status);
    }
    if (status.dropped) {
        log_line(LOG_WARN, "events were counted and not kept, since the disk was full",
                 "events=%llu", (unsigned long long)status.dropped);
    }
    eventlog_close(log, deadline_us);
}
