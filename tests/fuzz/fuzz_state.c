/* A state file with anything written into it: it is refused, or opened and whole. Never a crash,
 * never sums that disagree. The input is a list of edits to a good file (place, value), and what to
 * do with it: see below. Some edits would only meet the header's checksum; so it is made right
 * again when asked. */
#include "counters/state/header.h"
#include "tests/fuzz/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EDIT_BYTES 5
#define FUZZ_NOW_US INT64_C(1464433871000000)

static char dir[64], path[128];
static unsigned char *good;
static size_t good_bytes;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct counters_config config(unsigned workers) {
    return (struct counters_config){.dir = dir,
                                    .node_id = "n",
                                    .workers = workers,
                                    .horizon_us = US_PER_S,
                                    .keep_us = {US_PER_S, 60 * US_PER_S, 3600 * US_PER_S}};
}

static void write_file(const unsigned char *bytes, size_t n) {
    const int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    check(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0);
}

static void clean_up(void) {
    unlink(path);
    rmdir(dir);
}

/* A small file with some events in all rings, closed in order. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    char why[COUNTERS_WHY_MAX];
    snprintf(dir, sizeof dir, "%s/aforo-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    check(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/%s", dir, STATE_FILE_NAME);
    atexit(clean_up);
    const struct counters_config made = config(2);
    struct counters *counters = counters_open(&made, NULL, why);
    check(counters);
    for (unsigned i = 0; i < 2; i++) {
        struct shard *shard = counters_worker_shard(counters, i);
        shard_set_now_owner(shard, FUZZ_NOW_US);
        for (int event = 0; event < 200; event++) {
            check(shard_add_owner(shard, FUZZ_NOW_US - event * 4999) == SHARD_COUNTED);
            shard_tally_counted_owner(shard);
        }
    }
    shard_raise_owner(counters_readback_shard(counters), RESOLUTION_10MS, FUZZ_NOW_US / 10000, 7);
    counters_close(counters);
    const int fd = open(path, O_RDONLY);
    struct stat stat;
    check(fd >= 0 && fstat(fd, &stat) == 0);
    good_bytes = (size_t)stat.st_size;
    good = malloc(good_bytes);
    check(good && read(fd, good, good_bytes) == (ssize_t)good_bytes && close(fd) == 0);
    return 0;
}

/* Reads all that the file says it holds: the sum must not depend on how it is asked. */
static void read_all(const struct counters *counters) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        int64_t oldest, newest;
        if (!counters_span(counters, (enum resolution)r, &oldest, &newest)) {
            continue;
        }
        /* of a server that was killed, and had its file changed */
        check(oldest <= newest || !counters->header.clean);
        for (int64_t chunk = newest; chunk >= oldest && chunk > newest - 100; chunk--) {
            uint64_t count[SLOTS_MAX], sum = 0;
            counters_read(counters, (enum resolution)r,
                          chunk_first_window((enum resolution)r, chunk), resolution_table[r].slots,
                          count);
            for (uint32_t i = 0; i < resolution_table[r].slots; i++) {
                sum += count[i];
            }
            check(!counters->header.clean || counters->writable ||
                  sum == counters_chunk_total(counters, (enum resolution)r, chunk));
        }
    }
}

static void open_to_read(void) {
    char why[COUNTERS_WHY_MAX] = "";
    struct counters *counters = counters_open_readonly(dir, why);
    if (!counters) {
        check(*why && strnlen(why, sizeof why) < sizeof why);
        return;
    }
    check(!counters->header.clean || counters_verify(counters, why));
    read_all(counters);
    counters_close(counters);
}

/* Whatever was mended, afterwards everything agrees, and what was closed in order opens again
 * unchanged. */
static void open_to_write(unsigned workers, bool killed) {
    char why[COUNTERS_WHY_MAX] = "";
    uint64_t repaired = 0;
    const struct counters_config asked = config(workers);
    struct counters *counters = counters_open(&asked, &repaired, why);
    if (!counters) {
        check(*why && strnlen(why, sizeof why) < sizeof why);
        return;
    }
    struct shard_tally before, after;
    check(counters_verify(counters, why));
    read_all(counters);
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, FUZZ_NOW_US + US_PER_S);
    shard_add_owner(shard, FUZZ_NOW_US + US_PER_S);
    /* In the file of a killed process a coarser chunk without an epoch is one that was being
     * recycled, and its counts are given up. Somebody who wipes just that word makes the next event
     * disagree with the older ones of its window. */
    const bool whole = counters_verify(counters, why);
    check(whole || killed);
    counters_tally(counters, &before);
    counters_close(counters);
    if (!whole) {
        return;
    }
    counters = counters_open(&asked, &repaired, why);
    check(counters && repaired == 0);
    counters_tally(counters, &after);
    check(memcmp(&before, &after, sizeof before) == 0);
    counters_close(counters);
}

static void edit(unsigned char *file, const uint8_t *data, size_t size) {
    for (size_t at = 0; at + EDIT_BYTES <= size; at += EDIT_BYTES) {
        const size_t place =
            ((size_t)data[at] << 16 | (size_t)data[at + 1] << 8 | data[at + 2]) % good_bytes;
        switch (data[at + 3] & 3) {
        case 0:
            file[place] = data[at + 4];
            break;
        case 1:
            file[place] ^= (unsigned char)(1U << (data[at + 4] & 7));
            break;
        case 2: /* a word: most numbers are */
            memset(file + place / 8 * 8, data[at + 4], 8);
            break;
        default: /* one more or less */
            file[place / 8 * 8] = (unsigned char)(file[place / 8 * 8] + data[at + 4] - 128);
            break;
        }
    }
}

/* First byte: 1 the checksum is made right; 2 not closed in order; 4 of another boot; 8 the bytes
 * are the file itself; 16 cut short; 32 to be opened with more shards. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    const uint8_t how = data[0];
    bool killed = true;
    if (how & 8) {
        write_file(data + 1, size - 1);
    } else {
        unsigned char *file = malloc(good_bytes);
        check(file);
        memcpy(file, good, good_bytes);
        struct state_header *header = (struct state_header *)(void *)file;
        header->clean = !(how & 2);
        if (how & 4) {
            memset(header->boot, 'x', BOOT_ID_MAX - 1);
        }
        header->checksum = state_checksum_header(header);
        edit(file, data + 2, size - 2);
        if (how & 1) {
            header->checksum = state_checksum_header(header);
        }
        killed = !header->clean;
        write_file(file, how & 16 ? good_bytes * data[1] / 256 : good_bytes);
        free(file);
    }
    open_to_read();
    open_to_write(how & 32 ? 3 : 2, killed);
    unlink(path);
    return 0;
}
