/* Continues where an earlier run left off: settles each shard's tails, and continues its
 * numbers. */
#include "eventlog/open.h"

#include "eventlog/internal.h"
#include "eventlog/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDER_MODE 0750

__attribute__((format(printf, 2, 3))) static bool refuse(char *why, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, EVENTLOG_WHY_MAX, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- one shard ---- */

/* Reads what follows the last sealed file. */
static bool read_sealed_end(const struct log_shard *shard, const struct log_file *file,
                            uint64_t *next, uint64_t *digest) {
    char name[FILES_NAME_MAX];
    files_name(file, name);
    const int fd = files_open(shard->dir_fd, name, O_RDONLY);
    struct stat st;
    void *map = NULL;
    bool ok = fd >= 0 && fstat(fd, &st) == 0;
    if (ok && st.st_size > 0) {
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        ok = map != MAP_FAILED;
    }
    const int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = error;
    if (!ok) {
        /* cppcheck-suppress memleak ; nothing is mapped when this is so */
        return false;
    }
    const size_t len = (size_t)st.st_size;
    struct block_head head;
    if (len >= BLOCK_HEAD_BYTES &&
        block_decode((const unsigned char *)map + len - BLOCK_HEAD_BYTES, BLOCK_HEAD_BYTES,
                     &head) &&
        head.flags & BLOCK_END) {
        *next = head.first;
        *digest = head.after;
    } else if (!sealed_find_end(map, len, file->first, next, digest)) {
        log_say(shard->log, EVENTLOG_WARN,
                "the last sealed file of the event log is damaged: numbers go on far behind it",
                "file=\"%s/%u/%s\" next=%" PRIu64, shard->log->path, shard->number, name, *next);
    }
    if (map) {
        munmap(map, len);
    }
    return true;
}

static bool queue_settled(struct log_shard *shard, const struct log_file *file) {
    struct tail *tail = calloc(1, sizeof *tail);
    if (!tail) {
        return false;
    }
    tail->shard = shard->number;
    tail->first = file->first;
    tail->fd = -1;
    log_hand_off(shard, tail);
    return true;
}

static bool settle_tail(struct log_shard *shard, const struct log_file *file, uint64_t *next) {
    struct tail_settled settled;
    if (!tail_settle(shard->dir_fd, file, &shard->log->config.judge, &settled)) {
        return false;
    }
    if (settled.completed) {
        log_say(shard->log, EVENTLOG_INFO, "completed the event log by what a crash left counted",
                "shard=%u records=%" PRIu64, shard->number, file->first + settled.records - 1);
    }
    if (settled.torn) {
        log_say(shard->log, EVENTLOG_WARN,
                "the end of the event log never reached the disk: it was cut off",
                "shard=%u from_record=%" PRIu64, shard->number, file->first + settled.records);
    }
    const uint64_t end = file->first + settled.records;
    const bool tells_a_gap = end > *next;
    *next = tells_a_gap ? end : *next;
    if (settled.records > 0) {
        return queue_settled(shard, file);
    }
    /* The worker's next tail will have this number and thus this name, and would be sealed in its
     * place. Until then the empty tail stays, because it tells that records before it are
     * missing. */
    char name[FILES_NAME_MAX];
    files_name(file, name);
    return tells_a_gap || unlinkat(shard->dir_fd, name, 0) == 0;
}

static bool settle_files(struct log_shard *shard, const struct log_files *files, uint64_t *next) {
    const struct log_file *last = NULL;
    for (size_t i = 0; i < files->n; i++) {
        last = files->file[i].sealed ? &files->file[i] : last;
    }
    if (last && !read_sealed_end(shard, last, next, &shard->seal.digest)) {
        return false;
    }
    for (size_t i = 0; i < files->n; i++) {
        char name[FILES_NAME_MAX];
        files_name(&files->file[i], name);
        if (files_is_done(files, i)) { /* sealed, but not removed before a kill */
            unlinkat(shard->dir_fd, name, 0);
        } else if (!files->file[i].sealed && !settle_tail(shard, &files->file[i], next)) {
            return false;
        }
    }
    return true;
}

/* Opens or creates the folder of a shard. *next: the sequence that it continues with. */
static struct log_shard *open_shard(struct eventlog *log, unsigned number, uint64_t *next) {
    char name[16];
    struct log_files files;
    struct log_shard *shard = calloc(1, sizeof *shard);
    if (!shard) {
        return NULL;
    }
    shard->log = log;
    shard->number = number;
    shard->full_end = &shard->full;
    snprintf(name, sizeof name, "%u", number);
    if (mkdirat(log->dir_fd, name, FOLDER_MODE) && errno != EEXIST) {
        free(shard);
        return NULL;
    }
    shard->dir_fd = openat(log->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    log->shard[log->shards++] = shard; /* from here on freed with the log */
    if (shard->dir_fd < 0) {
        return NULL;
    }
    shard->seal = (struct seal){
        .dir_fd = shard->dir_fd, .node = log->node, .shard = number, .packer = &log->packer};
    unlinkat(shard->dir_fd, LOG_PREPARED, 0);
    unlinkat(shard->dir_fd, LOG_MADE, 0);
    unlinkat(shard->dir_fd, FILES_SEALING, 0);
    *next = 1;
    const bool ok = files_list(shard->dir_fd, &files) && settle_files(shard, &files, next);
    const int error = errno;
    free(files.file);
    errno = error;
    return ok ? shard : NULL;
}

/* ---- the node ---- */

/* Seals what shards of earlier runs with more threads left. */
static bool open_other_shards(struct eventlog *log) {
    char **names;
    size_t n;
    if (!files_list_folders(log->dir_fd, &names, &n)) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        unsigned number;
        uint64_t next;
        if (files_read_shard(names[i], &number) && number > log->config.workers &&
            log->shards < LOG_SHARDS_MAX) {
            ok = open_shard(log, number, &next) != NULL;
        }
    }
    files_free_names(names, n);
    return ok;
}

static bool open_shards(struct eventlog *log) {
    for (unsigned i = 0; i < log->config.workers; i++) {
        struct eventlog_writer *writer = &log->writer[i];
        struct log_shard *shard = open_shard(log, i + 1, &writer->next);
        if (!shard) {
            return false;
        }
        shard->writer = writer;
        writer->shard = shard;
        writer->refuses = log->config.refuse_when_full;
    }
    return open_other_shards(log);
}

static bool open_folder(struct eventlog *log, char *why) {
    const struct eventlog_config *config = &log->config;
    const int n = snprintf(log->path, sizeof log->path, "%s/%s", config->dir, config->node);
    if (n < 0 || (size_t)n >= sizeof log->path) {
        return refuse(why, "%.100s...: the path is too long", config->dir);
    }
    if (config->node[0] == '.') {
        return refuse(why, "a node whose name begins with a point can have no event log: '%s'",
                      config->node);
    }
    if ((mkdir(config->dir, FOLDER_MODE) && errno != EEXIST) ||
        (mkdir(log->path, FOLDER_MODE) && errno != EEXIST)) {
        return refuse(why, "%s: cannot make the folder: %s", log->path, strerror(errno));
    }
    log->dir_fd = open(log->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (log->dir_fd < 0) {
        return refuse(why, "%s: %s", log->path, strerror(errno));
    }
    return flock(log->dir_fd, LOCK_EX | LOCK_NB) == 0 ||
           refuse(why, "%s: another process writes this event log", log->path);
}

static struct eventlog *allocate(const struct eventlog_config *config) {
    struct eventlog *log = calloc(1, sizeof *log);
    if (!log) {
        return NULL;
    }
    log->config = *config;
    log->config.tail_bytes = config->tail_bytes ? config->tail_bytes : LOG_TAIL_BYTES;
    log->dir_fd = -1;
    snprintf(log->node, sizeof log->node, "%s", config->node);
    log->writer = aligned_alloc(64, (config->workers * sizeof *log->writer + 63) / 64 * 64);
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_mutex_init(&log->mutex, NULL);
    pthread_cond_init(&log->wake, &steady);
    pthread_condattr_destroy(&steady);
    if (log->writer) {
        memset(log->writer, 0, config->workers * sizeof *log->writer);
    }
    return log;
}

struct eventlog *eventlog_open(const struct eventlog_config *config, char why[EVENTLOG_WHY_MAX]) {
    struct eventlog *log = allocate(config);
    if (!log || !log->writer) {
        refuse(why, "out of memory");
        log_free(log);
        return NULL;
    }
    if (!open_folder(log, why)) {
        log_free(log);
        return NULL;
    }
    if (!open_shards(log)) {
        refuse(why, "%s: cannot open what is there: %s", log->path, strerror(errno));
        eventlog_close(log, 0);
        return NULL;
    }
    return log;
}

static void free_shard(struct log_shard *shard) {
    struct tail *prepared = atomic_load(&shard->prepared);
    if (prepared) {
        unlinkat(shard->dir_fd, LOG_PREPARED, 0);
        tail_free(prepared);
    }
    if (shard->dir_fd >= 0) {
        unlinkat(shard->dir_fd, LOG_MADE, 0);
        close(shard->dir_fd);
    }
    free(shard);
}

void log_free(struct eventlog *log) {
    if (!log) {
        return;
    }
    for (unsigned i = 0; i < log->shards; i++) {
        free_shard(log->shard[i]);
    }
    if (log->dir_fd >= 0) {
        close(log->dir_fd);
    }
    pthread_cond_destroy(&log->wake);
    pthread_mutex_destroy(&log->mutex);
    packer_end(&log->packer);
    free(log->writer);
    free(log);
}
