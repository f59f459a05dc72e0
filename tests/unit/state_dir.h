/* What tests of the state file share: a directory of their own, a small geometry, a seeded
 * generator. */
#ifndef AFORO_TESTS_STATE_DIR_H
#define AFORO_TESTS_STATE_DIR_H

#include "counters/counters.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define T0 INT64_C(1464433871000000) /* 2016-05-28 11:11:11 */
#define PATH_MAX_TEST 256

static char state_dir[64];

/* In memory where there is such a place: a disk that takes its time to write would make these tests
 * minutes long. */
static inline void state_dir_make(void) {
    char template[64];
    snprintf(template, sizeof template, "%s/aforo-state-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(template));
    snprintf(state_dir, sizeof state_dir, "%s", template);
}

static inline void state_dir_remove(void) {
    char command[PATH_MAX_TEST];
    snprintf(command, sizeof command, "rm -rf %s", state_dir);
    ck_assert_int_eq(system(command), 0);
}

static inline void state_path(const char *name, char path[PATH_MAX_TEST]) {
    snprintf(path, PATH_MAX_TEST, "%s/%s", state_dir, name);
}

/* The smallest geometry there is: 7 places in each ring, 11 pages with one worker. */
static inline struct counters_config tiny_config(unsigned workers) {
    return (struct counters_config){.dir = state_dir,
                                    .workers = workers,
                                    .horizon_us = US_PER_S,
                                    .keep_us = {US_PER_S, US_PER_S, US_PER_S}};
}

static inline struct counters *open_or_fail(const struct counters_config *config) {
    char why[COUNTERS_WHY_MAX] = "";
    struct counters *counters = counters_open(config, NULL, why);
    ck_assert_msg(counters != NULL, "%s", why);
    return counters;
}

static inline void must_verify(const struct counters *counters) {
    char why[COUNTERS_WHY_MAX] = "";
    ck_assert_msg(counters_verify(counters, why), "%s", why);
}

static inline uint64_t read_one(const struct counters *counters, enum resolution r, int64_t t_us) {
    uint64_t count;
    counters_read(counters, r, window_at(r, t_us), 1, &count);
    return count;
}

/* A small generator of our own, so that a seed means the same everywhere (Steele, Lea, Flood:
 * splitmix64). */
static inline uint64_t next_random(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#endif
