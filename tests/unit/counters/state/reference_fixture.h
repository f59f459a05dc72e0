/* What the tests of references share: names, bytes of their files, and what one says. */
#ifndef AFORO_TESTS_UNIT_REFERENCE_FIXTURE_H
#define AFORO_TESTS_UNIT_REFERENCE_FIXTURE_H

#include "counters/state/reference.h"
#include "counters/state/state_file.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define OPENED "opened.aforo"
#define BYTES_MAX (64 * 1024)

static inline const char *others_of(const char *node) {
    static char name[COUNTERS_NODE_MAX + 24];
    snprintf(name, sizeof name, "others-%s.aforo", node);
    return name;
}

static inline bool there(const char *name) {
    char path[PATH_MAX_TEST];
    state_path(name, path);
    return access(path, F_OK) == 0;
}

static inline void shell(const char *format, const char *a, const char *b) {
    char command[4 * PATH_MAX_TEST];
    snprintf(command, sizeof command, format, a, b);
    ck_assert_int_eq(system(command), 0);
}

static inline size_t load(const char *name, unsigned char *bytes) {
    char path[PATH_MAX_TEST];
    state_path(name, path);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    const size_t n = fread(bytes, 1, BYTES_MAX, file);
    fclose(file);
    ck_assert_uint_gt(n, 0);
    return n;
}

static inline void store(const char *name, const unsigned char *bytes, size_t n) {
    char path[PATH_MAX_TEST];
    state_path(name, path);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
    ck_assert_int_eq(fclose(file), 0);
}

static inline void count(struct counters *counters, int64_t us, unsigned times) {
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, us);
    for (unsigned i = 0; i < times; i++) {
        ck_assert_int_eq(shard_add_owner(shard, us), SHARD_COUNTED);
    }
}

static inline struct counters *open_tiny(void) {
    const struct counters_config config = tiny_config(1);
    return open_or_fail(&config);
}

/* What a reference says of the window of a moment, and in all. */
struct asked {
    int64_t us;
    uint64_t at[RESOLUTIONS], all[RESOLUTIONS];
    unsigned chunks;
};

static inline void look(void *cls, enum resolution r, int64_t chunk, const uint64_t *of) {
    struct asked *asked = cls;
    asked->chunks++;
    for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
        asked->all[r] += of[slot];
        if (chunk_first_window(r, chunk) + slot == window_at(r, asked->us)) {
            asked->at[r] = of[slot];
        }
    }
}

static inline struct asked ask(const struct counters *counters, enum reference which, int64_t us,
                               enum reference_kin *kin) {
    struct asked asked = {.us = us};
    char why[COUNTERS_WHY_MAX] = "";
    enum reference_kin ignored;
    ck_assert_msg(counters_find_reference(counters, which, kin ? kin : &ignored, why), "%s", why);
    ck_assert_msg(counters_read_reference(counters, which, look, &asked, why), "%s", why);
    return asked;
}

static inline void must_hold(const struct counters *counters, uint64_t expected) {
    const struct asked asked = ask(counters, REFERENCE_OPENED, T0, NULL);
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_uint_eq(asked.at[r], expected);
        ck_assert_uint_eq(asked.all[r], expected);
    }
    ck_assert_uint_eq(asked.chunks, expected ? RESOLUTIONS : 0);
}

#endif
