/* What a crash or a power loss left half done is mended, and nothing else is: recover.c, repair.c
 * and state_file.c. */
#include "counters/state/recover.h"
#include "counters/time/civil.h"
#include "tests/unit/counters/state/state_fixture.h"

#include <sys/wait.h>

static _Alignas(RING_PAGE) unsigned char early[FILE_MAX_BYTES], late[FILE_MAX_BYTES];

/* The file as a machine that lost its power leaves it: not closed, and of another boot. */
static void store_of_another_boot(unsigned char *bytes) {
    struct state_header *header = (struct state_header *)bytes;
    header->clean = 0;
    snprintf(header->boot, sizeof header->boot, "another boot");
    header->checksum = state_checksum_header(header);
    store(STATE_FILE_NAME, bytes, whole_bytes);
}

static int64_t count_some(struct shard *shard, int64_t t_us, int n, uint64_t *random) {
    for (int i = 0; i < n; i++) {
        t_us += (int64_t)(next_random(random) % (uint64_t)(i % 8 == 0 ? 400 * US_PER_S : US_PER_S));
        shard_set_now_owner(shard, t_us);
        ck_assert_int_eq(shard_add_owner(shard, t_us), SHARD_COUNTED);
    }
    return t_us;
}

/* After a power loss any page may be as it was at one of two moments. The file is taken, every sum
 * holds, no count is higher than it was, and late events for what was half lost keep the sums. */
START_TEST(pages_of_different_moments) {
    const struct counters_config config = tiny_config(1);
    uint64_t random = 20261123;
    for (int i = 0; i < 300; i++) {
        put_whole();
        struct counters *counters = open_or_fail(&config);
        struct shard *shard = counters_worker_shard(counters, 0);
        int64_t t_us = count_some(shard, T0 + 20 * US_PER_S, 20, &random);
        load(STATE_FILE_NAME, early, sizeof early);
        t_us = count_some(shard, t_us, 20, &random);
        load(STATE_FILE_NAME, late, sizeof late);
        const uint64_t newest = read_one(counters, RESOLUTION_1S, t_us);
        counters_close(counters);
        for (size_t page = 1; page < whole_bytes / RING_PAGE; page++) {
            if (next_random(&random) % 2) {
                memcpy(late + page * RING_PAGE, early + page * RING_PAGE, RING_PAGE);
            }
        }
        store_of_another_boot(late);
        counters = open_or_fail(&config);
        must_verify(counters);
        ck_assert_uint_le(read_one(counters, RESOLUTION_1S, t_us), newest);
        shard = counters_worker_shard(counters, 0);
        shard_set_now_owner(shard, t_us);
        for (int n = 0; n < 20; n++) {
            shard_add_owner(shard, t_us - (int64_t)(next_random(&random) % (uint64_t)US_PER_S));
            shard_add_arrival_owner(
                shard, t_us - (int64_t)(next_random(&random) % (uint64_t)(9 * US_PER_S)));
            must_verify(counters);
        }
        counters_close(counters);
        counters_close(open_or_fail(&config));
    }
}
END_TEST

/* A coarser chunk whose epoch belongs to another place is nobody's: what the finer windows still
 * know of it is kept, and the next event of its span agrees with them. */
START_TEST(a_misplaced_chunk_after_a_power_loss) {
    const struct counters_config config = tiny_config(1);
    int tried = 0;
    for (int r = RESOLUTION_1S; r < RESOLUTIONS; r++) {
        put_whole();
        struct counters *counters = open_or_fail(&config);
        const struct shard *shard = counters_worker_shard(counters, 0);
        for (int64_t place = 0; place < shard->ring[r].chunks; place++) {
            struct chunk *chunk = ring_place(&shard->ring[r], place);
            const uint64_t epoch = atomic_load(&chunk->epoch);
            if (epoch == EPOCH_NONE) {
                continue;
            }
            memcpy(late, whole, whole_bytes);
            const size_t at = (size_t)((unsigned char *)chunk - counters->map);
            const uint64_t misplaced = epoch + 1;
            memcpy(late + at, &misplaced, sizeof misplaced);
            counters_close(counters);
            store_of_another_boot(late);
            counters = open_or_fail(&config);
            must_verify(counters);
            struct shard *owner = counters_worker_shard(counters, 0);
            shard = owner; /* the file was opened anew */
            const int64_t t_us = T0 / (60 * US_PER_S) * (60 * US_PER_S);
            for (int64_t second = 0; second < 60; second++) {
                shard_set_now_owner(owner, t_us + second * US_PER_S);
                shard_add_owner(owner, t_us + second * US_PER_S);
                must_verify(counters);
            }
            tried++;
        }
        counters_close(counters);
    }
    ck_assert_int_ge(tried, 2);
}
END_TEST

/* The first chunk of the year 10000, wherever it stands; in each shard, the one that was read back,
 * too. */
START_TEST(no_chunk_is_of_a_year_that_no_timestamp_names) {
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    uint64_t repaired = 0;
    for (unsigned i = 0; i < counters_shards(counters); i++) {
        const struct shard *shard = &counters->shard[i];
        for (int r = 0; r < RESOLUTIONS; r++) {
            const int64_t end = CIVIL_END_US / chunk_width_us((enum resolution)r);
            counter *const places[] = {&shard->page->newest[r], &shard->page->oldest[r],
                                       &ring_place(&shard->ring[r], end)->epoch};
            for (size_t place = 0; place < sizeof places / sizeof places[0]; place++) {
                const bool in_a_ring = place == 2;
                char why[COUNTERS_WHY_MAX] = "";
                const uint64_t before = atomic_load(places[place]);
                atomic_store(places[place], (uint64_t)end);
                ck_assert(!(in_a_ring ? state_recover(counters, RECOVERY_NONE, &repaired, why)
                                      : state_check_spans(counters, why)));
                ck_assert_msg(strstr(why, "beyond the year 9999"), "%s", why);
                atomic_store(places[place], (uint64_t)end - 1);
                ck_assert(in_a_ring || state_check_spans(counters, why));
                atomic_store(places[place], before);
            }
        }
    }
    counters_close(counters);
}
END_TEST

START_TEST(a_boot_in_between_changes_nothing_that_was_whole) {
    const uint64_t expected = expected_reads();
    const struct counters_config config = tiny_config(1);
    char why[COUNTERS_WHY_MAX] = "";
    memcpy(late, whole, whole_bytes);
    store_of_another_boot(late);
    uint64_t repaired = 99;
    struct counters *counters = counters_open(&config, &repaired, why);
    ck_assert_msg(counters != NULL, "%s", why);
    ck_assert_uint_eq(repaired, 0);
    ck_assert_uint_eq(all_reads(counters), expected);
    uint64_t back;
    counters_read_back_shard(counters, RESOLUTION_1S, T0 / US_PER_S, 1, &back);
    ck_assert_uint_eq(back, 9); /* its minute and its 10 ms windows were never told of */
    counters_close(counters);
}
END_TEST

START_TEST(a_killed_server_that_did_nothing_is_no_repair) {
    const struct counters_config config = tiny_config(2);
    const pid_t pid = fork();
    if (pid == 0) {
        static struct counters *volatile held; /* to the end: nothing leaks */
        char why[COUNTERS_WHY_MAX];
        held = counters_open(&config, NULL, why);
        _exit(held ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(header_now().clean, 0);
    char why[COUNTERS_WHY_MAX] = "";
    uint64_t repaired = 99;
    struct counters *counters = counters_open(&config, &repaired, why);
    ck_assert_msg(counters != NULL, "%s", why);
    ck_assert_uint_eq(repaired, 0);
    counters_close(counters);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {pages_of_different_moments, a_misplaced_chunk_after_a_power_loss,
                                  no_chunk_is_of_a_year_that_no_timestamp_names,
                                  a_boot_in_between_changes_nothing_that_was_whole,
                                  a_killed_server_that_did_nothing_is_no_repair};
    return check_main_in_state_dir("recover", tests, sizeof tests / sizeof tests[0]);
}
