/* The header of the state file: what it states, whether it can be trusted, and whether it matches
 * the configuration. */
#include "counters/state/header.h"

#include "counters/state/fnv.h"
#include "counters/state/map.h"
#include "counters/state/name.h"
#include "counters/time/horizon.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[8] = {'a', 'f', 'o', 'r', 'o', '\r', '\n', 0x1a};

#define CHUNKS_MOST (1 << 24) /* half a year of 10 ms windows */

_Static_assert(sizeof(struct state_header) <= RING_PAGE, "the header is one page");

uint64_t state_checksum_header(const struct state_header *header) {
    return fnv1a64(FNV1A64_BASIS, header, offsetof(struct state_header, checksum));
}

/* One pwrite of less than a page: after a kill all or nothing of it was written. */
bool state_write_header(struct counters *counters, char *why) {
    counters->header.checksum = state_checksum_header(&counters->header);
    if (pwrite(counters->fd, &counters->header, sizeof counters->header, 0) !=
        (ssize_t)sizeof counters->header) {
        return state_refuse(why, "%s: cannot write: %s", counters->path, strerror(errno));
    }
    return true;
}

void state_read_boot_id(char boot[BOOT_ID_MAX]) {
    memset(boot, 0, BOOT_ID_MAX);
    const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        const ssize_t n = read(fd, boot, BOOT_ID_MAX - 1);
        boot[n > 0 ? n : 0] = '\0';
        close(fd);
    }
}

static int64_t round_up_to_seconds(int64_t us) {
    return (us + US_PER_S - 1) / US_PER_S;
}

/* The geometry that a configuration requires. */
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
        /* One more chunk at either end, because spans seldom start on a chunk's edge. The number is
         * odd: see struct ring. */
        chunks[r] = (span + 2 + 2 * RING_MARGIN) | 1;
    }
}

bool state_make_header(struct counters *counters, const struct counters_config *config, char *why) {
    struct state_header *header = &counters->header;
    *header = (struct state_header){.version = STATE_VERSION,
                                    .shards = config->workers + 1,
                                    .horizon_us = config->horizon_us,
                                    .future_us = config->future_us};
    memcpy(header->magic, MAGIC, sizeof MAGIC);
    plan_chunks(config, header->chunks);
    state_read_boot_id(header->boot);
    return state_choose_name(config, header->node, why);
}

/* Whether the numbers are such as a server could have written. Even a header with a correct
 * checksum is checked: it must not lead to a division by 0 or to reading past the end. */
static bool header_makes_sense(const struct state_header *header) {
    bool ok = header->shards >= 1 && header->shards <= COUNTERS_SHARDS_MOST &&
              memchr(header->node, '\0', sizeof header->node) &&
              counters_node_id_is_valid(header->node) && header->horizon_us >= HORIZON_MIN_US &&
              header->horizon_us <= HORIZON_MAX_US && header->future_us >= 0 &&
              header->future_us <= FUTURE_MAX_US;
    for (int r = 0; r < RESOLUTIONS; r++) {
        ok = ok && header->chunks[r] % 2 == 1 && header->chunks[r] > 2 + 2 * RING_MARGIN &&
             header->chunks[r] <= CHUNKS_MOST;
    }
    return ok;
}

bool state_read_header(struct counters *counters, char *why) {
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
    if (n < (ssize_t)sizeof *header || header->checksum != state_checksum_header(header)) {
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
    if (st.st_size < (off_t)state_count_bytes(header)) {
        return state_refuse(why,
                            "%s: is truncated: %lld bytes instead of %zu; move the file away (what "
                            "was flushed is still in Redis)",
                            path, (long long)st.st_size, state_count_bytes(header));
    }
    return true;
}

bool state_check_header(const struct counters *counters, const struct counters_config *config,
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
                            counters->path, (long long)round_up_to_seconds(header->horizon_us),
                            (long long)round_up_to_seconds(header->future_us),
                            (long long)header->chunks[0], (long long)header->chunks[1],
                            (long long)header->chunks[2],
                            (long long)round_up_to_seconds(config->horizon_us),
                            (long long)round_up_to_seconds(config->future_us), (long long)chunks[0],
                            (long long)chunks[1], (long long)chunks[2]);
    }
    if (config->node_id && !state_names_node(header->node, config->node_id)) {
        return state_refuse(why,
                            "%s: belongs to node %s, not to --node-id %s; drop the flag or use "
                            "another --state directory",
                            counters->path, header->node, config->node_id);
    }
    return true;
}

bool state_config_is_valid(const struct counters_config *config, char *why) {
    if (config->workers < 1 || config->workers > COUNTERS_WORKERS_MAX) {
        return state_refuse(why, "%u workers: must be 1 to %d", config->workers,
                            COUNTERS_WORKERS_MAX);
    }
    if (config->horizon_us < HORIZON_MIN_US || config->horizon_us > HORIZON_MAX_US ||
        config->horizon_us % US_PER_S) {
        return state_refuse(why, "horizon must be 1 s to 24 h in whole seconds");
    }
    if (config->future_us < 0 || config->future_us > FUTURE_MAX_US ||
        config->future_us % US_PER_S) {
        return state_refuse(why, "future must be 0 to 1 h in whole seconds");
    }
    if (config->node_id && !counters_node_id_is_valid(config->node_id)) {
        return state_refuse(why, "node id '%.80s': must be 1 to %d of A-Z a-z 0-9 . _ -",
                            config->node_id, COUNTERS_NODE_MAX - 1);
    }
    return true;
}
