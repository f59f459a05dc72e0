#include "server/http/snapshot.h"

#include "counters/measures/own_crashes.h"
#include "server/process/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jemalloc/jemalloc.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATM "/proc/self/statm"
#define FDS "/proc/self/fd"

/* Missing when a sanitizer brings its own allocator. */
extern __typeof__(mallctl) mallctl __attribute__((weak));

/* ---- the store ---- */

void snapshot_read_store(const struct server *server, struct flush_status *status,
                         int64_t value[STORE_METRICS]) {
    *status = (struct flush_status){0};
    if (server->flush) {
        flush_status(server->flush, status);
    }
    const int64_t age_us =
        status->last_flush_us ? clock_steady_us() - status->last_flush_us : -US_PER_MS;
    value[STORE_METRIC_last_flush_age_ms] = age_us / US_PER_MS;
    value[STORE_METRIC_lag_ms] = status->lag_us / US_PER_MS;
    value[STORE_METRIC_errors] = (int64_t)status->errors;
    value[STORE_METRIC_passes] = (int64_t)status->passes;
    value[STORE_METRIC_chunks_sent] = (int64_t)status->chunks_sent;
    value[STORE_METRIC_losses] = (int64_t)status->losses;
    value[STORE_METRIC_resends] = (int64_t)status->resends;
    value[STORE_METRIC_too_late] = (int64_t)status->too_late;
}

/* ---- the node ---- */

static int64_t read_allocator(const char *name) {
    size_t value = 0, size = sizeof value;
    return mallctl && mallctl(name, &value, &size, NULL, 0) == 0 ? (int64_t)value : 0;
}

static int64_t in_us(struct timeval time) {
    return (int64_t)time.tv_sec * US_PER_S + time.tv_usec;
}

static void read_memory(int64_t value[NODE_METRICS]) {
    uint64_t epoch = 1;
    size_t size = sizeof epoch;
    if (mallctl) {
        /* jemalloc's figures are those of the last epoch, so begin a new one */
        mallctl("epoch", &epoch, &size, &epoch, size);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    value[NODE_METRIC_allocated_bytes] = read_allocator("stats.allocated");
    value[NODE_METRIC_active_bytes] = read_allocator("stats.active");
    value[NODE_METRIC_resident_bytes] = read_allocator("stats.resident");
    value[NODE_METRIC_process_peak_bytes] = usage.ru_maxrss * INT64_C(1024);
    value[NODE_METRIC_user] = in_us(usage.ru_utime);
    value[NODE_METRIC_system] = in_us(usage.ru_stime);
}

static void read_event_log(const struct eventlog *log, int64_t value[NODE_METRICS]) {
    struct eventlog_status status = {0};
    if (log) {
        eventlog_status(log, &status);
    }
    value[NODE_METRIC_records] = (int64_t)status.records;
    value[NODE_METRIC_dropped] = (int64_t)status.dropped;
    value[NODE_METRIC_waiting] = (int64_t)status.waiting;
    value[NODE_METRIC_sealed] = (int64_t)status.sealed;
    value[NODE_METRIC_removed] = (int64_t)status.removed;
    value[NODE_METRIC_removed_bytes] = (int64_t)status.removed_bytes;
}

int64_t snapshot_count_connections(const struct worker *worker) {
    return (int64_t)atomic_load_explicit(&worker->connections, memory_order_relaxed);
}

void snapshot_read_node(const struct worker *worker, const struct shard_tally *tally,
                        int64_t value[NODE_METRICS]) {
    const struct server *server = worker->server;
    const struct report_set *set = worker->report_view.set;
    value[NODE_METRIC_reports_set_aside] = set ? set->definitions->asides : 0;
    value[NODE_METRIC_uptime_ms] = (clock_steady_us() - server->started_us) / US_PER_MS;
    value[NODE_METRIC_counts_ahead_ms] = counters_ahead_us(server->counters) / US_PER_MS;
    value[NODE_METRIC_shards] = counters_shards(server->counters);
    value[NODE_METRIC_received] = (int64_t)tally->received;
    value[NODE_METRIC_counted] = (int64_t)tally->counted;
    value[NODE_METRIC_connections] = 0;
    for (unsigned i = 0; i < server->workers; i++) {
        value[NODE_METRIC_connections] += snapshot_count_connections(&server->worker[i]);
    }
    read_memory(value);
    read_event_log(server->event_log, value);
}

/* ---- workers, reports ---- */

void snapshot_read_worker(const struct worker *worker, int64_t value[METRICS]) {
    for (int m = 0; m < METRICS; m++) {
        value[m] = (int64_t)metric_read(&worker->metrics, (enum metric)m);
    }
}

void snapshot_read_workers(const struct server *server, int64_t value[METRICS]) {
    for (int m = 0; m < METRICS; m++) {
        value[m] = 0;
        for (unsigned i = 0; i < server->workers; i++) {
            value[m] += (int64_t)metric_read(&server->worker[i].metrics, (enum metric)m);
        }
    }
}

void snapshot_read_report(const struct report_set *set, unsigned r, int64_t value[REPORT_METRICS]) {
    struct table_status status;
    table_status(set->reports.table[r], &status);
    value[REPORT_METRIC_rows] = (int64_t)status.rows;
    value[REPORT_METRIC_rows_room] = (int64_t)status.rows_room;
    value[REPORT_METRIC_other] = (int64_t)status.other;
    value[REPORT_METRIC_gone] = (int64_t)report_set_gone(set, r);
    value[REPORT_METRIC_keys_wanted] = (int64_t)status.keys_wanted;
    value[REPORT_METRIC_memory_bytes] = (int64_t)status.memory;
}

/* ---- what other pages tell in words ---- */

static bool is_set(const _Atomic bool *flag) {
    return atomic_load_explicit((_Atomic bool *)(uintptr_t)flag, memory_order_relaxed);
}

void snapshot_read_state(const struct worker *worker, const struct flush_status *status,
                         int64_t value[STATE_METRICS]) {
    const struct server *server = worker->server;
    value[STATE_METRIC_store_configured] = server->flush != NULL;
    value[STATE_METRIC_store_connected] = status->connected;
    value[STATE_METRIC_store_may_evict] = status->may_evict;
    value[STATE_METRIC_store_is_copy] = *status->copy_of != '\0';
    value[STATE_METRIC_store_lease_elsewhere] = *status->holder != '\0';
    value[STATE_METRIC_draining] = is_set(&server->stopping) || is_set(&server->draining);
    value[STATE_METRIC_state_gone] = is_set(&server->state_is_lost);
    value[STATE_METRIC_state_unwritten] = is_set(&server->state_is_unwritten);
    value[STATE_METRIC_repaired] = server->repaired || server->report_sets.repaired;
    value[STATE_METRIC_rebuilt] = server->rebuilt;
    value[STATE_METRIC_measure_crashed] = own_crashes_last(0) != NULL;
    value[STATE_METRIC_reports_not_read] = is_set(&server->report_sets.not_read);
}

/* ---- the process ---- */

static void read_statm(int64_t value[PROCESS_METRICS]) {
    char text[128];
    int64_t size, resident;
    const int fd = open(STATM, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    if (sscanf(text, "%" SCNd64 " %" SCNd64, &size, &resident) == 2) {
        const int64_t page = sysconf(_SC_PAGESIZE);
        value[PROCESS_METRIC_virtual_bytes] = size * page;
        value[PROCESS_METRIC_resident_bytes] = resident * page;
    }
}

/* From Linux 6.2 on the size of the folder is the number of descriptors; before that they are
 * counted. */
static int64_t count_fds(void) {
    struct stat status;
    if (stat(FDS, &status) == 0 && status.st_size > 0) {
        return status.st_size;
    }
    DIR *dir = opendir(FDS);
    if (!dir) {
        return SNAPSHOT_UNKNOWN;
    }
    int64_t n = -3; /* . and .. and the folder itself */
    /* cppcheck-suppress readdirCalled ; no other thread uses this stream */
    while (readdir(dir)) {
        n++;
    }
    closedir(dir);
    return n;
}

void snapshot_read_process(const struct server *server, int64_t value[PROCESS_METRICS]) {
    for (int m = 0; m < PROCESS_METRICS; m++) {
        value[m] = SNAPSHOT_UNKNOWN;
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    value[PROCESS_METRIC_cpu_us] = in_us(usage.ru_utime) + in_us(usage.ru_stime);
    value[PROCESS_METRIC_started_us] = server->started_wall_us;
    value[PROCESS_METRIC_fds] = count_fds();
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        value[PROCESS_METRIC_fds_most] = (int64_t)limit.rlim_cur;
    }
    read_statm(value);
}
