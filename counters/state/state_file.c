/* Opening, creating and closing the mapped file. Every refusal says which file, what is wrong, and
 * what to do. */
#include "counters/state/state_file.h"

#include "counters/state/header.h"
#include "counters/state/map.h"
#include "counters/state/name.h"
#include "counters/state/recover.h"
#include "counters/state/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool state_refuse(char *why, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(why, COUNTERS_WHY_MAX, format, args);
    va_end(args);
    return false;
}

struct counters *state_new(const char *dir, bool writable, char *why) {
    struct counters *counters = calloc(1, sizeof *counters);
    if (!counters) {
        state_refuse(why, "out of memory");
        return NULL;
    }
    counters->dir_fd = counters->fd = -1;
    pthread_mutex_init(&counters->mutex, NULL);
    counters->writable = writable;
    if (snprintf(counters->path, sizeof counters->path, "%s/" STATE_FILE_NAME, dir) >=
        (int)sizeof counters->path) {
        state_refuse(why, "%.80s...: the state directory's name is too long", dir);
        pthread_mutex_destroy(&counters->mutex);
        free(counters);
        return NULL;
    }
    return counters;
}

void state_free(struct counters *counters) {
    state_unmap(counters);
    if (counters->fd >= 0) {
        close(counters->fd);
    }
    if (counters->dir_fd >= 0) {
        close(counters->dir_fd);
    }
    pthread_mutex_destroy(&counters->mutex);
    free(counters->worker);
    free(counters);
}

bool state_lock_dir(struct counters *counters, const char *dir, char *why) {
    if (mkdir(dir, 0750) && errno != EEXIST) {
        return state_refuse(why, "%s: cannot make the state directory: %s", dir, strerror(errno));
    }
    counters->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (counters->dir_fd < 0) {
        return state_refuse(why, "%s: cannot open the state directory: %s", dir, strerror(errno));
    }
    if (flock(counters->dir_fd, LOCK_EX | LOCK_NB)) {
        return state_refuse(
            why, "%s: %s", dir,
            errno == EWOULDBLOCK
                ? "another server uses this state directory; give each its own --state"
                : strerror(errno));
    }
    return true;
}

/* The directory's lock does not cover a file that is hard-linked into two directories. */
static bool lock_file(struct counters *counters, char *why) {
    return flock(counters->fd, LOCK_EX | LOCK_NB) == 0 ||
           state_refuse(
               why, "%s: %s", counters->path,
               errno == EWOULDBLOCK
                   ? "another server uses this file, by another name; give each its own --state"
                   : strerror(errno));
}

/* A new file is created under another name and renamed when complete, so that a crash leaves no
 * partial file. */
static bool make_file(struct counters *counters, const struct counters_config *config, char *why) {
    struct state_header *header = &counters->header;
    if (!state_make_header(counters, config, why)) {
        return false;
    }
    counters->fd = openat(counters->dir_fd, STATE_FILE_TEMPORARY,
                          O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (counters->fd < 0) {
        return state_refuse(why, "%s.new: cannot create: %s; the state directory must be writable",
                            counters->path, strerror(errno));
    }
    if (!state_reserve(counters, state_count_bytes(header), why) ||
        !state_write_header(counters, why)) {
        unlinkat(counters->dir_fd, STATE_FILE_TEMPORARY, 0);
        return false;
    }
    if (fsync(counters->fd) ||
        renameat(counters->dir_fd, STATE_FILE_TEMPORARY, counters->dir_fd, STATE_FILE_NAME) ||
        fsync(counters->dir_fd)) {
        return state_refuse(why, "%s: cannot make the file: %s", counters->path, strerror(errno));
    }
    return true;
}

/* Takes over an existing file: checks it against the configuration, adds shards when there are more
 * workers, and recovers. */
static bool adopt_file(struct counters *counters, const struct counters_config *config,
                       uint64_t *repaired, char *why) {
    struct state_header *header = &counters->header;
    if (!state_read_header(counters, why) || !state_check_header(counters, config, why) ||
        !state_reserve(counters, state_count_bytes(header), why)) {
        return false;
    }
    char boot[BOOT_ID_MAX];
    state_read_boot_id(boot);
    enum recovery recovery = RECOVERY_NONE;
    if (!header->clean) {
        recovery = strcmp(boot, header->boot) == 0 ? RECOVERY_KILLED : RECOVERY_TORN;
    }
    if (header->shards < config->workers + 1 &&
        !state_lengthen(counters, config->workers + 1, why)) {
        return false;
    }
    if (!state_map_file(counters, why) || !state_recover(counters, recovery, repaired, why)) {
        return false;
    }
    /* Repairs reach the disk before the header calls the file sound for this boot. */
    if (recovery != RECOVERY_NONE && msync(counters->map, counters->map_bytes, MS_SYNC)) {
        return state_refuse(why, "%s: cannot write: %s", counters->path, strerror(errno));
    }
    memcpy(header->boot, boot, sizeof boot);
    header->clean = 0;
    return state_write_header(counters, why);
}

static bool open_writable(struct counters *counters, const struct counters_config *config,
                          uint64_t *repaired, char *why) {
    if (!state_lock_dir(counters, config->dir, why)) {
        return false;
    }
    /* O_NONBLOCK: a FIFO must not hang us */
    counters->fd = openat(counters->dir_fd, STATE_FILE_NAME, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (counters->fd >= 0) {
        return lock_file(counters, why) && adopt_file(counters, config, repaired, why);
    }
    if (errno != ENOENT) {
        return state_refuse(why, "%s: cannot open: %s", counters->path, strerror(errno));
    }
    return make_file(counters, config, why) && lock_file(counters, why) &&
           state_map_file(counters, why);
}

/* The workers begin in shards 1 .. n, wherever they were when the file was last open. */
static bool make_workers(struct counters *counters, unsigned workers, char *why) {
    counters->worker = calloc(workers, sizeof *counters->worker);
    if (!counters->worker) {
        return state_refuse(why, "out of memory for %u workers", workers);
    }
    counters->workers = workers;
    for (unsigned i = 0; i < workers; i++) {
        shard_begin(&counters->worker[i], &counters->shard[i + 1]);
        counters->held[i + 1] = true;
    }
    return true;
}

struct counters *counters_open(const struct counters_config *config, uint64_t *repaired,
                               char *why) {
    uint64_t changed = 0;
    if (!state_config_is_valid(config, why)) {
        return NULL;
    }
    struct counters *counters = state_new(config->dir, true, why);
    if (counters && (!open_writable(counters, config, &changed, why) ||
                     !make_workers(counters, config->workers, why))) {
        state_free(counters);
        return NULL;
    }
    if (counters && !reference_open(counters, why)) {
        state_free(counters);
        return NULL;
    }
    if (counters) {
        state_publish_name(counters, 0);
    }
    if (repaired) {
        *repaired = changed;
    }
    return counters;
}

struct counters *counters_open_readonly(const char *dir, char *why) {
    struct counters *counters = state_new(dir, false, why);
    if (!counters) {
        return NULL;
    }
    counters->fd = open(counters->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const bool opened = counters->fd >= 0;
    if (!opened) {
        state_refuse(why, "%s: cannot open: %s", counters->path, strerror(errno));
    }
    if (!opened || !state_read_header(counters, why) || !state_map_file(counters, why) ||
        !state_check_spans(counters, why) || !state_check_closed(counters, why)) {
        state_free(counters);
        return NULL;
    }
    state_publish_name(counters, 0);
    return counters;
}

void counters_close(struct counters *counters) {
    if (!counters) {
        return;
    }
    char why[COUNTERS_WHY_MAX];
    uint64_t repaired = 0;
    for (unsigned i = 0; counters->writable && i < counters->shards; i++) {
        /* readers will check this: check_closed */
        shard_repair(&counters->shard[i], i, RECOVERY_NONE, &repaired);
    }
    if (counters->writable && counters_sync(counters)) {
        counters->header.clean = 1;
        /* on failure the next start recovers as after a crash: nothing is lost */
        state_write_header(counters, why);
        fsync(counters->fd);
    }
    state_free(counters);
}

bool counters_is_in_place(const struct counters *counters, char *why) {
    struct stat ours, there;
    if (fstat(counters->fd, &ours) == 0 && ours.st_nlink == 0) {
        return state_refuse(why, "%s: was deleted", counters->path);
    }
    if (stat(counters->path, &there)) {
        return errno == EACCES || state_refuse(why, "%s: %s", counters->path, strerror(errno));
    }
    return (there.st_dev == ours.st_dev && there.st_ino == ours.st_ino) ||
           state_refuse(why, "%s: another file stands there", counters->path);
}

bool counters_set_read_back_owner(struct counters *counters) {
    char why[COUNTERS_WHY_MAX];
    /* The raised counts are on disk before the reference is deleted. */
    const bool synced = counters_sync(counters);
    pthread_mutex_lock(&counters->mutex);
    counters->header.read_back = 1;
    const bool ok = synced && state_write_header(counters, why) && fsync(counters->fd) == 0 &&
                    reference_settle(counters);
    const int error = errno;
    pthread_mutex_unlock(&counters->mutex);
    errno = error;
    return ok;
}

struct shard *counters_worker_shard(struct counters *counters, unsigned worker) {
    return &counters->worker[worker];
}

struct shard *counters_readback_shard(struct counters *counters) {
    return &counters->shard[0];
}
