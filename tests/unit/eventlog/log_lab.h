/* What tests of the event log share: a folder, sealed files as bytes, what a reader was given. */
#ifndef AFORO_TESTS_LOG_LAB_H
#define AFORO_TESTS_LOG_LAB_H

#include "eventlog/log.h"
#include "eventlog/read.h"
#include "eventlog/seal.h"
#include "eventlog/sealed.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* What a file or a log gave: each record's number, in order, and the damage. */
struct given {
    uint64_t records, damages;
    uint64_t last;      /* sequence of the last record */
    uint64_t named;     /* records that damage names, where their number is known */
    bool open_end;      /* damage that nobody can tell the end of */
    char text[1 << 16]; /* lines, as long as they fit */
    size_t len;
    uint64_t seen[1 << 12]; /* 1: given, 2: named; by sequence */
};

static inline void given_name(struct given *given, uint64_t first, uint64_t last) {
    given->damages++;
    given->open_end |= last == UINT64_MAX;
    for (uint64_t i = first; i <= last && i < sizeof given->seen / sizeof *given->seen; i++) {
        given->named += last != UINT64_MAX;
        given->seen[i] |= 2;
    }
}

/* The bytes of a whole file; the caller frees them. */
static inline unsigned char *lab_slurp(const char *path, size_t *len) {
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    fseek(file, 0, SEEK_END);
    *len = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*len + 1);
    ck_assert_uint_eq(fread(bytes, 1, *len, file), *len);
    fclose(file);
    return bytes;
}

/* Writes n lines, a second of 10 ms steps from T0 on, as a closed tail of number `first`. */
static inline void lab_write_tail(int dir_fd, uint64_t first, unsigned n, size_t filler) {
    char name[FILES_NAME_MAX];
    static char filling[1 << 16], line[1 << 17];
    struct line_clock clock = {0};
    files_name(&(const struct log_file){.first = first}, name);
    const int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    uint64_t random = first;
    for (size_t i = 0; i < filler; i++) {
        filling[i] = (char)('a' + next_random(&random) % 26);
    }
    for (unsigned i = 0; i < n; i++) {
        const struct line_event event = {.timed = true,
                                         .time_us = T0 + (int64_t)(first + i) * 10000,
                                         .arrival_us = T0 + (int64_t)(first + i) * 10000 + 7,
                                         .line = {filler ? filling : NULL, filler}};
        const size_t len = line_write(&clock, &event, line);
        ck_assert_int_eq(write(fd, line, len), (ssize_t)len);
    }
    close(fd);
}

#endif
