/* Opening, making, growing and closing the mapped file. Every refusal says which file, what is
 * wrong, what to do. */
#include "counters/state_file.h"

#include "counters/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[8] = {'a', 'f', 'o', 'r', 'o', '\r', '\n', 0x1a};

#define TEMPORARY STATE_FILE_NAME ".new" /* until it is whole */
#define YEAR_10000_US (INT64_C(253402300800) * US_PER_S)
#define CHUNKS_MOST (1 << 24) /* half a year of 10 ms windows */

_Static_assert(sizeof(struct state_header) <= RING_PAGE, "the header is one page");
_Static_assert(sizeof(struct shard_page) <= RING_PAGE, "a shard's own numbers are one page");

bool state_refuse(char *why, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(why, COUNTERS_WHY_MAX, format, args);
    va_end(args);
    return false;
}

/* FNV-1a, 64 bit (Fowler, Noll, Vo): enough to find a flipped bit in a header of two hundred bytes.
 */
static uint64_t header_checksum(const struct state_header *header) {
    const unsigned char *bytes = (const unsigned char *)header;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < offsetof(struct state_header, checksum); i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* One pwrite of less than a page: a killed process has written all of it or nothing. */
static bool write_header(struct counters *counters, char *why) {
    counters->header.checksum = header_checksum(&counters->header);
    if (pwrite(counters->fd, &counters->header, sizeof counters->header, 0) !=
        (ssize_t)sizeof counters->header) {
        return state_refuse(why, "%s: cannot write: %s", counters->path, strerror(errno));
    }
    return true;
}

static void read_boot_id(char boot[BOOT_ID_MAX]) {
    memset(boot, 0, BOOT_ID_MAX);
    const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        const ssize_t n = read(fd, boot, BOOT_ID_MAX - 1);
        boot[n > 0 ? n : 0] = '\0';
        close(fd);
    }
}

bool counters_node_id_is_valid(const char *id) {
    const size_t n =
        strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return n >= 1 && n < COUNTERS_NODE_MAX && id[n] == '\0';
}

static bool choose_node_id(const struct counters_config *config, char node[COUNTERS_NODE_MAX],
                           char *why) {
    memset(node, 0, COUNTERS_NODE_MAX);
    if (config->node_id) {
        snprintf(node, COUNTERS_NODE_MAX, "%s", config->node_id);
        return true;
    }
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random) {
        return state_refuse(why, "cannot make up a node id: %s; give one with --node-id",
                            strerror(errno));
    }
    snprintf(node, COUNTERS_NODE_MAX, "%016llx", (unsigned long long)random);
    return true;
}

static int64_t whole_seconds(int64_t us) {
    return (us + US_PER_S - 1) / US_PER_S;
}

/* The geometry that a configuration asks for. */
static void plan_chunks(const struct counters_config *config, int64_t chunks[RESOLUTIONS]) {
    static const int64_t keep_default_us[RESOLUTIONS] = {3600 * US_PER_S, 24 * 3600 * US_PER_S,
                                                         INT64_C(30) * 24 * 3600 * US_PER_S};
    for (int r = 0; r < RESOLUTIONS; r++) {
        int64_t keep_us = config->keep_us[r] ? config->keep_us[r] : keep_default_us[r];
        if (r == RESOLUTION_10MS && !config->keep_us[r]) {
            keep_us = config->horizon_us;
        }
        keep_us = keep_us > config->horizon_us ? keep_us : config->horizon_us;
        const int64_t width_us = chunk_width_us((enum resolution)r);
        const int64_t span =
            (keep_us + width_us - 1) / width_us + (config->future_us + width_us - 1) / width_us;
        /* One more chunk at either end, since spans seldom start on a chunk's edge; odd: see struct
         * ring. */
        chunks[r] = (span + 2 + 2 * RING_MARGIN) | 1;
    }
}

static size_t file_bytes(const struct state_header *header) {
    return RING_PAGE + header->shards * shard_bytes(header->chunks);
}

/* Reserves the blocks now: a full disk is an error here, not a SIGBUS in the middle of the day.
 * What is there already costs a look at the file's extents, no writing. */
static bool reserve(int fd, const char *path, size_t bytes, char *why) {
    const int error = posix_fallocate(fd, 0, (off_t)bytes);
    struct rlimit limit;
    if (error == EFBIG && getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < bytes) {
        return state_refuse(why,
                            "%s: cannot reserve %zu bytes: files may be %llu bytes long at the "
                            "most (ulimit -f, LimitFSIZE=); raise that limit",
                            path, bytes, (unsigned long long)limit.rlim_cur);
    }
    if (error) {
        return state_refuse(
            why,
            "%s: cannot reserve %zu bytes: %s; free some space or choose another --state directory",
            path, bytes, strerror(error));
    }
    return true;
}

/* A new file is made under another name and renamed when whole: a crash in between leaves no half
 * file. */
static bool make_file(struct counters *counters, const struct counters_config *config, char *why) {
    struct state_header *header = &counters->header;
    *header = (struct state_header){.version = STATE_VERSION,
                                    .shards = config->workers + 1,
                                    .horizon_us = config->horizon_us,
                                    .future_us = config->future_us};
    memcpy(header->magic, MAGIC, sizeof MAGIC);
    plan_chunks(config, header->chunks);
    read_boot_id(header->boot);
    if (!choose_node_id(config, header->node, why)) {
        return false;
    }
    counters->fd =
        openat(counters->dir_fd, TEMPORARY, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (counters->fd < 0) {
        return state_refuse(why, "%s.new: cannot create: %s; the state directory must be writable",
                            counters->path, strerror(errno));
    }
    if (!reserve(counters->fd, counters->path, file_bytes(header), why) ||
        !write_header(counters, why)) {
        unlinkat(counters->dir_fd, TEMPORARY, 0);
        return false;
    }
    if (fsync(counters->fd) ||
        renameat(counters->dir_fd, TEMPORARY, counters->dir_fd, STATE_FILE_NAME) ||
        fsync(counters->dir_fd)) {
        return state_refuse(why, "%s: cannot make the file: %s", counters->path, strerror(errno));
    }
    return true;
}

/* Numbers that a right checksum does not make right: who reads must not divide by them, or run over
 * the end. */
static bool header_makes_sense(const struct state_header *header) {
    bool ok = header->shards >= 1 && header->shards <= COUNTERS_SHARDS_MOST &&
              memchr(header->node, '\0', sizeof header->node) &&
              counters_node_id_is_valid(header->node) && header->horizon_us >= US_PER_S &&
              header->horizon_us <= 24 * 3600 * US_PER_S && header->future_us >= 0 &&
              header->future_us <= 3600 * US_PER_S;
    for (int r = 0; r < RESOLUTIONS; r++) {
        ok = ok && header->chunks[r] % 2 == 1 && header->chunks[r] > 2 + 2 * RING_MARGIN &&
             header->chunks[r] <= CHUNKS_MOST;
    }
    return ok;
}

/* Reads and checks the header of an existing file: is it ours, whole, of this version? */
static bool read_header(struct counters *counters, char *why) {
    struct state_header *header = &counters->header;
    const char *path = counters->path;
    struct stat st;
    if (fstat(counters->fd, &st)) {
        return state_refuse(why, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return state_refuse(why, "%s: is not a regular file; choose another --state directory",
                            path);
    }
    const ssize_t n = pread(counters->fd, header, sizeof *header, 0);
    if (n < (ssize_t)sizeof header->magic || memcmp(header->magic, MAGIC, sizeof MAGIC) != 0) {
        return state_refuse(
            why,
            "%s: is not a state file of aforo; move it away or choose another --state directory",
            path);
    }
    if (n >= 12 && header->version != STATE_VERSION) {
        return state_refuse(why,
                            "%s: has format version %u, this program writes version %d; start the "
                            "program that made it, or move the file away",
                            path, header->version, STATE_VERSION);
    }
    if (n < (ssize_t)sizeof *header || header->checksum != header_checksum(header)) {
        return state_refuse(
            why,
            "%s: its header is damaged; move the file away (what was flushed is still in Redis)",
            path);
    }
    if (!header_makes_sense(header)) {
        return state_refuse(why,
                            "%s: its header names what no server could have made; move the file "
                            "away (what was flushed is still in Redis)",
                            path);
    }
    if (st.st_size < (off_t)file_bytes(header)) {
        return state_refuse(why,
                            "%s: is truncated: %lld bytes instead of %zu; move the file away (what "
                            "was flushed is still in Redis)",
                            path, (long long)st.st_size, file_bytes(header));
    }
    return true;
}

#define COPY_SUFFIX 9 /* "." and eight hexadecimal digits: what a copy adds to the name it had */

/* Is this the node that was asked for, or a copy of it that took a name of its own? */
static bool names_node(const char *node, const char *asked) {
    const size_t len = strlen(node), most = COUNTERS_NODE_MAX - 1 - COPY_SUFFIX;
    const size_t kept = strlen(asked) < most ? strlen(asked) : most;
    return strcmp(node, asked) == 0 ||
           (len == kept + COPY_SUFFIX && node[kept] == '.' && strncmp(node, asked, kept) == 0 &&
            strspn(node + kept + 1, "0123456789abcdef") == COPY_SUFFIX - 1);
}

static bool check_geometry(const struct counters *counters, const struct counters_config *config,
                           char *why) {
    const struct state_header *header = &counters->header;
    int64_t chunks[RESOLUTIONS];
    plan_chunks(config, chunks);
    if (header->horizon_us != config->horizon_us || header->future_us != config->future_us ||
        memcmp(header->chunks, chunks, sizeof chunks) != 0) {
        return state_refuse(why,
                            "%s: was made with --horizon %llds --future %llds (chunks "
                            "%lld/%lld/%lld), now asked for --horizon %llds "
                            "--future %llds (chunks %lld/%lld/%lld); use the old settings or "
                            "another --state directory",
                            counters->path, (long long)whole_seconds(header->horizon_us),
                            (long long)whole_seconds(header->future_us),
                            (long long)header->chunks[0], (long long)header->chunks[1],
                            (long long)header->chunks[2],
                            (long long)whole_seconds(config->horizon_us),
                            (long long)whole_seconds(config->future_us), (long long)chunks[0],
                            (long long)chunks[1], (long long)chunks[2]);
    }
    if (config->node_id && !names_node(header->node, config->node_id)) {
        return state_refuse(why,
                            "%s: belongs to node %s, not to --node-id %s; drop the flag or use "
                            "another --state directory",
                            counters->path, header->node, config->node_id);
    }
    return true;
}

static bool map_file(struct counters *counters, char *why) {
    counters->map_bytes = file_bytes(&counters->header);
    const int protection = counters->writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *map = mmap(NULL, counters->map_bytes, protection, MAP_SHARED, counters->fd, 0);
    if (map == MAP_FAILED) {
        return state_refuse(why, "%s: cannot map %zu bytes: %s", counters->path,
                            counters->map_bytes, strerror(errno));
    }
    counters->map = map;
    counters->mapped = counters->header.shards;
    counters->shards = counters->mapped;
    /* untouched pages cost nothing */
    counters->shard = calloc(COUNTERS_SHARDS_MOST, sizeof *counters->shard);
    if (!counters->shard) {
        return state_refuse(why, "out of memory for %u shards", counters->shards);
    }
    for (unsigned i = 0; i < counters->shards; i++) {
        shard_bind(&counters->shard[i], counters,
                   counters->map + RING_PAGE + i * shard_bytes(counters->header.chunks),
                   counters->header.chunks);
    }
    return true;
}

/* No chunk is of a year that no timestamp can name: computing with its number would overflow. */
static bool check_chunks(const struct counters *counters, char *why) {
    for (unsigned i = 0; i < counters->shards; i++) {
        const struct shard_page *page = counters->shard[i].page;
        for (int r = 0; r < RESOLUTIONS; r++) {
            const uint64_t most = (uint64_t)(YEAR_10000_US / chunk_width_us((enum resolution)r));
            if (atomic_load(&page->newest[r]) > most || atomic_load(&page->oldest[r]) > most) {
                return state_refuse(
                    why,
                    "%s: is damaged: shard %u holds windows of a time beyond the year 9999; move "
                    "the file away (what was flushed is still in Redis)",
                    counters->path, i);
            }
        }
    }
    return true;
}

/* The same of all places of the rings, before anything is computed from them to mend the file. */
static bool check_epochs(const struct counters *counters, const struct shard *shard, char *why) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        const uint64_t most = (uint64_t)(YEAR_10000_US / chunk_width_us((enum resolution)r));
        for (int64_t place = 0; place < shard->ring[r].chunks; place++) {
            if (atomic_load_explicit(&ring_place(&shard->ring[r], place)->epoch,
                                     memory_order_relaxed) > most) {
                return state_refuse(why,
                                    "%s: is damaged: it holds windows of a time beyond the year "
                                    "9999; move the file away "
                                    "(what was flushed is still in Redis)",
                                    counters->path);
            }
        }
    }
    return true;
}

static bool recover(struct counters *counters, enum recovery recovery, uint64_t *repaired,
                    char *why) {
    for (unsigned i = 0; i < counters->shards; i++) {
        char what[COUNTERS_WHY_MAX];
        if (!check_epochs(counters, &counters->shard[i], why)) {
            return false;
        }
        shard_repair(&counters->shard[i], i, recovery, repaired);
        if (!shard_verify(&counters->shard[i], i, what)) {
            return state_refuse(
                why,
                "%s: is damaged: %.250s; move the file away (what was flushed is still in Redis); "
                "of a running server 'aforo backup' makes a copy that is whole",
                counters->path, what);
        }
        /* Checked pages need not stay in our memory; the file keeps what they hold. */
        madvise(counters->shard[i].page, shard_bytes(counters->header.chunks), MADV_DONTNEED);
    }
    return check_chunks(counters, why);
}

/* Makes room for so many shards in all; the header in the file still has to be told. On failure
 * nothing has changed. */
static bool lengthen(struct counters *counters, uint32_t shards, char *why) {
    struct state_header *header = &counters->header;
    struct state_header longer = *header;
    longer.shards = shards;
    if (!reserve(counters->fd, counters->path, file_bytes(&longer), why)) {
        return false;
    }
    /* Beyond what the header names lies nothing, unless an earlier growth was cut short: clear it.
     */
    if (ftruncate(counters->fd, (off_t)file_bytes(header))) {
        return state_refuse(why, "%s: cannot grow: %s", counters->path, strerror(errno));
    }
    if (!reserve(counters->fd, counters->path, file_bytes(&longer), why)) {
        return false;
    }
    header->shards = shards;
    return true;
}

struct shard *counters_grow(struct counters *counters) {
    char why[COUNTERS_WHY_MAX];
    const uint32_t before = counters->header.shards;
    const size_t bytes = shard_bytes(counters->header.chunks), at = file_bytes(&counters->header);
    if (before >= COUNTERS_SHARDS_MOST || !lengthen(counters, before + 1, why)) {
        errno = before >= COUNTERS_SHARDS_MOST ? EMFILE : ENOSPC;
        return NULL;
    }
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, counters->fd, (off_t)at);
    if (map == MAP_FAILED || !write_header(counters, why)) {
        const int error = errno;
        counters->header.shards = before;
        if (map != MAP_FAILED) {
            munmap(map, bytes);
        }
        errno = error;
        return NULL;
    }
    struct shard *shard = &counters->shard[before];
    shard_bind(shard, counters, map, counters->header.chunks);
    atomic_store_explicit(&counters->shards, before + 1, memory_order_release);
    return shard;
}

/* An existing file: check it against what is asked, give it more shards where there are more
 * workers, recover. */
static bool adopt_file(struct counters *counters, const struct counters_config *config,
                       uint64_t *repaired, char *why) {
    struct state_header *header = &counters->header;
    if (!read_header(counters, why) || !check_geometry(counters, config, why) ||
        !reserve(counters->fd, counters->path, file_bytes(header), why)) {
        return false;
    }
    char boot[BOOT_ID_MAX];
    read_boot_id(boot);
    enum recovery recovery = RECOVERY_NONE;
    if (!header->clean) {
        recovery = strcmp(boot, header->boot) == 0 ? RECOVERY_KILLED : RECOVERY_TORN;
    }
    if (header->shards < config->workers + 1 && !lengthen(counters, config->workers + 1, why)) {
        return false;
    }
    if (!map_file(counters, why) || !recover(counters, recovery, repaired, why)) {
        return false;
    }
    /* The repairs reach the disk before the header calls the file sound for this boot. */
    if (recovery != RECOVERY_NONE && msync(counters->map, counters->map_bytes, MS_SYNC)) {
        return state_refuse(why, "%s: cannot write: %s", counters->path, strerror(errno));
    }
    memcpy(header->boot, boot, sizeof boot);
    header->clean = 0;
    return write_header(counters, why);
}

static bool lock_dir(struct counters *counters, const char *dir, char *why) {
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

/* The directory's lock does not see a file that is linked into two of them. */
static bool lock_file(struct counters *counters, char *why) {
    return flock(counters->fd, LOCK_EX | LOCK_NB) == 0 ||
           state_refuse(
               why, "%s: %s", counters->path,
               errno == EWOULDBLOCK
                   ? "another server uses this file, by another name; give each its own --state"
                   : strerror(errno));
}

static bool open_writable(struct counters *counters, const struct counters_config *config,
                          uint64_t *repaired, char *why) {
    if (!lock_dir(counters, config->dir, why)) {
        return false;
    }
    /* a FIFO must not hang */
    counters->fd = openat(counters->dir_fd, STATE_FILE_NAME, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (counters->fd >= 0) {
        return lock_file(counters, why) && adopt_file(counters, config, repaired, why);
    }
    if (errno != ENOENT) {
        return state_refuse(why, "%s: cannot open: %s", counters->path, strerror(errno));
    }
    return make_file(counters, config, why) && lock_file(counters, why) && map_file(counters, why);
}

static bool config_is_valid(const struct counters_config *config, char *why) {
    if (config->workers < 1 || config->workers > COUNTERS_WORKERS_MAX) {
        return state_refuse(why, "%u workers: must be 1 to %d", config->workers,
                            COUNTERS_WORKERS_MAX);
    }
    if (config->horizon_us < US_PER_S || config->horizon_us > 24 * 3600 * US_PER_S ||
        config->horizon_us % US_PER_S) {
        return state_refuse(why, "horizon must be 1 s to 24 h in whole seconds");
    }
    if (config->future_us < 0 || config->future_us > 3600 * US_PER_S ||
        config->future_us % US_PER_S) {
        return state_refuse(why, "future must be 0 to 1 h in whole seconds");
    }
    if (config->node_id && !counters_node_id_is_valid(config->node_id)) {
        return state_refuse(why, "node id '%.80s': must be 1 to %d of A-Z a-z 0-9 . _ -",
                            config->node_id, COUNTERS_NODE_MAX - 1);
    }
    return true;
}

static struct counters *counters_new(const char *dir, bool writable, char *why) {
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

static void counters_free(struct counters *counters) {
    for (unsigned i = counters->mapped; i < counters->shards; i++) {
        munmap(counters->shard[i].page, shard_bytes(counters->header.chunks));
    }
    if (counters->map) {
        munmap(counters->map, counters->map_bytes);
    }
    if (counters->fd >= 0) {
        close(counters->fd);
    }
    if (counters->dir_fd >= 0) {
        close(counters->dir_fd);
    }
    pthread_mutex_destroy(&counters->mutex);
    free(counters->worker);
    free(counters->shard);
    free(counters);
}

/* From now on readers get this place's name, which is that of the header. */
static void use_name(struct counters *counters, int place) {
    memcpy(counters->name[place], counters->header.node, COUNTERS_NODE_MAX);
    atomic_store_explicit(&counters->node, counters->name[place], memory_order_release);
}

/* The first that no name has had yet; COUNTERS_NAMES_MAX: none is left. */
static int free_name(const struct counters *counters) {
    int place = 1;
    while (place < COUNTERS_NAMES_MAX && *counters->name[place]) {
        place++;
    }
    return place;
}

bool state_file_may_rename(const struct counters *counters, char *why) {
    return free_name(counters) < COUNTERS_NAMES_MAX ||
           state_refuse(why,
                        "%s: has had %d names since it was opened; end the servers that use its "
                        "copies, and start again",
                        counters->path, COUNTERS_NAMES_MAX);
}

bool state_file_rename(struct counters *counters, const char *node, char *why) {
    const char *before = atomic_load_explicit(&counters->node, memory_order_relaxed);
    const int place = free_name(counters);
    if (!state_file_may_rename(counters, why)) {
        return false;
    }
    pthread_mutex_lock(&counters->mutex);
    memset(counters->header.node, 0, sizeof counters->header.node);
    snprintf(counters->header.node, sizeof counters->header.node, "%s", node);
    counters->header.read_back = 1;
    const bool ok = write_header(counters, why) && fsync(counters->fd) == 0;
    if (!ok) {
        state_refuse(why, "%s: cannot write: %s", counters->path, strerror(errno));
        snprintf(counters->header.node, sizeof counters->header.node, "%s", before);
    } else {
        use_name(counters, place);
    }
    pthread_mutex_unlock(&counters->mutex);
    return ok;
}

/* The workers begin in shards 1 .. n, wherever they were when the file was last open. */
static bool make_workers(struct counters *counters, unsigned workers, char *why) {
    counters->worker = calloc(workers, sizeof *counters->worker);
    if (!counters->worker) {
        return state_refuse(why, "out of memory for %u workers", workers);
    }
    counters->workers = workers;
    for (unsigned i = 0; i < workers; i++) {
        counters->worker[i] = (struct shard){.hi_us = -1};
        shard_hold(&counters->worker[i], &counters->shard[i + 1]);
        counters->held[i + 1] = true;
    }
    return true;
}

struct counters *counters_open(const struct counters_config *config, uint64_t *repaired,
                               char *why) {
    uint64_t changed = 0;
    if (!config_is_valid(config, why)) {
        return NULL;
    }
    struct counters *counters = counters_new(config->dir, true, why);
    if (counters && (!open_writable(counters, config, &changed, why) ||
                     !make_workers(counters, config->workers, why))) {
        counters_free(counters);
        return NULL;
    }
    if (counters && !reference_open(counters, why)) {
        counters_free(counters);
        return NULL;
    }
    if (counters) {
        use_name(counters, 0);
    }
    if (repaired) {
        *repaired = changed;
    }
    return counters;
}

/* A file that was closed in order must hold every invariant for a reader, too. One that a server
 * has open, or that a killed one left behind, may be in the middle of an event: it is taken as it
 * is. */
static bool check_closed(struct counters *counters, char *why) {
    char what[COUNTERS_WHY_MAX];
    for (unsigned i = 0; counters->header.clean && i < counters->shards; i++) {
        if (!shard_verify_closed(&counters->shard[i], i, what)) {
            /* Unless a server has opened it in the meantime, and counts. */
            return read_header(counters, why) &&
                   (!counters->header.clean ||
                    state_refuse(why,
                                 "%s: is damaged: %.300s; move the file away (what was flushed is "
                                 "still in Redis)",
                                 counters->path, what));
        }
    }
    return true;
}

struct counters *counters_open_readonly(const char *dir, char *why) {
    struct counters *counters = counters_new(dir, false, why);
    if (!counters) {
        return NULL;
    }
    counters->fd = open(counters->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const bool opened = counters->fd >= 0;
    if (!opened) {
        state_refuse(why, "%s: cannot open: %s", counters->path, strerror(errno));
    }
    if (!opened || !read_header(counters, why) || !map_file(counters, why) ||
        !check_chunks(counters, why) || !check_closed(counters, why)) {
        counters_free(counters);
        return NULL;
    }
    use_name(counters, 0);
    return counters;
}

void counters_close(struct counters *counters) {
    if (!counters) {
        return;
    }
    char why[COUNTERS_WHY_MAX];
    uint64_t repaired = 0;
    for (unsigned i = 0; counters->writable && i < counters->shards; i++) {
        /* what a reader will check: check_closed */
        shard_repair(&counters->shard[i], i, RECOVERY_NONE, &repaired);
    }
    if (counters->writable && counters_sync(counters)) {
        counters->header.clean = 1;
        /* when it fails the next start recovers as after a crash: nothing is lost */
        write_header(counters, why);
        fsync(counters->fd);
    }
    counters_free(counters);
}

bool counters_sync(struct counters *counters) {
    bool ok = msync(counters->map, counters->map_bytes, MS_SYNC) == 0;
    const unsigned shards = atomic_load_explicit(&counters->shards, memory_order_acquire);
    for (unsigned i = counters->mapped; ok && i < shards; i++) {
        ok = msync(counters->shard[i].page, shard_bytes(counters->header.chunks), MS_SYNC) == 0;
    }
    return ok;
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

bool counters_was_read_back(const struct counters *counters) {
    return counters->header.read_back != 0;
}

bool counters_set_read_back_owner(struct counters *counters) {
    char why[COUNTERS_WHY_MAX];
    /* What was raised is on the disk before the note of what was there before goes. */
    const bool synced = counters_sync(counters);
    pthread_mutex_lock(&counters->mutex);
    counters->header.read_back = 1;
    const bool ok = synced && write_header(counters, why) && fsync(counters->fd) == 0 &&
                    reference_settle(counters);
    const int error = errno;
    pthread_mutex_unlock(&counters->mutex);
    errno = error;
    return ok;
}

void counters_owner(const struct counters *counters, char owner[COUNTERS_OWNER_MAX]) {
    struct stat about = {0};
    fstat(counters->fd, &about);
    const int len = (int)strcspn(counters->header.boot, "\n");
    snprintf(owner, COUNTERS_OWNER_MAX, "%.*s:%llx:%llu", len, counters->header.boot,
             (unsigned long long)about.st_dev, (unsigned long long)about.st_ino);
}

struct shard *counters_worker_shard(struct counters *counters, unsigned worker) {
    return &counters->worker[worker];
}

struct shard *counters_readback_shard(struct counters *counters) {
    return &counters->shard[0];
}

static bool copy_open(struct counters *copy, const char *dir, char *why) {
    struct stat there;
    if (!lock_dir(copy, dir, why)) {
        return false;
    }
    if (fstatat(copy->dir_fd, STATE_FILE_NAME, &there, AT_SYMLINK_NOFOLLOW) == 0) {
        return state_refuse(why, "%s: is there already; choose another directory for the copy",
                            copy->path);
    }
    copy->fd =
        openat(copy->dir_fd, TEMPORARY, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (copy->fd < 0) {
        return state_refuse(why, "%s.new: cannot create: %s", copy->path, strerror(errno));
    }
    return reserve(copy->fd, copy->path, file_bytes(&copy->header), why) && map_file(copy, why);
}

struct counters *counters_copy_new(const struct counters *counters, const char *dir, char *why) {
    struct counters *copy = counters_new(dir, true, why);
    if (!copy) {
        return NULL;
    }
    copy->header = counters->header;
    if (!copy_open(copy, dir, why)) {
        counters_copy_end(copy, false, why);
        return NULL;
    }
    return copy;
}

bool counters_copy_end(struct counters *copy, bool ok, char *why) {
    copy->header.clean = 1;
    if (ok &&
        (!counters_sync(copy) || !write_header(copy, why) || fsync(copy->fd) ||
         renameat(copy->dir_fd, TEMPORARY, copy->dir_fd, STATE_FILE_NAME) || fsync(copy->dir_fd))) {
        ok = state_refuse(why, "%s: cannot write: %s", copy->path, strerror(errno));
    }
    if (!ok && copy->fd >= 0) {
        unlinkat(copy->dir_fd, TEMPORARY, 0);
    }
    counters_free(copy);
    return ok;
}
