/* Random events in two widths, with late ones, restarts, keys of all lengths and a circle that is
 * often full, against a plain model: every event is in one row, no row has one too many, and a row
 * that never shared its key with `(other)` has exactly its own. */
#include "tests/unit/counters/rows/rows_fixture.h"

#define KEYS 60
#define WINDOWS 400
#define EVENTS 60000

/* What was really counted; of width 0. */
static uint64_t count[WINDOWS][KEYS], sum[WINDOWS][KEYS], total[WINDOWS];
static char key[KEYS][400];

struct compared {
    int64_t window;
    uint64_t all;
};

static bool compare_row(void *cls, const struct table_copy *copy) {
    struct compared *compared = cls;
    compared->all += copy->state[0];
    if (!copy->key) {
        return true;
    }
    const int i = (int)strtol(copy->key, NULL, 10);
    DEMAND(i >= 0 && i < KEYS && strlen(key[i]) == copy->key_len &&
               memcmp(key[i], copy->key, copy->key_len) == 0,
           "a key that nobody made");
    DEMAND(copy->state[0] <= count[compared->window][i], "key %d: one too many", i);
    DEMAND(copy->state[0] != count[compared->window][i] ||
               copy->state[1] == sum[compared->window][i],
           "key %d: another sum", i);
    return true;
}

static void compare(const struct lab *lab, int64_t now) {
    for (int64_t window = now < 9 ? 0 : now - 9; window <= now; window++) {
        struct compared compared = {.window = window};
        const struct table_taker taker = {compare_row, &compared};
        ck_assert(table_read(lab->table, 0, T0 / US_PER_S + window, &taker));
        DEMAND(compared.all == total[window], "window %lld: %llu of %llu", (long long)window,
               (unsigned long long)compared.all, (unsigned long long)total[window]);
    }
}

START_TEST(all_events_are_in_one_row) {
    struct table_config config = lab_config("model");
    const struct table_span span = {1, LAB_HORIZON_US, 0};
    uint64_t random = 20261121 + (uint64_t)_i;
    config.memory = table_bytes_min(&config, &span) + ((int64_t)_i << 16);
    config.keys_max = _i == 1 ? 40 : 10000;
    for (int i = 0; i < KEYS; i++) {
        snprintf(key[i], sizeof key[i], "%d\x1f%0*d", i, i * 6 + 1, i);
    }
    struct lab lab = lab_open(1, &config);
    int64_t now = 0;
    for (int n = 0; n < EVENTS; n++) {
        if (next_random(&random) % 170 == 0 && now + 2 < WINDOWS) {
            now += 1 + (int64_t)(next_random(&random) % 2);
            set_now(&lab, T0 + now * US_PER_S);
        }
        const int64_t late = (int64_t)(next_random(&random) % 8),
                      window = late < now ? now - late : now;
        const uint64_t i = next_random(&random) % KEYS, value = next_random(&random) % 1000;
        DEMAND(count_event(&lab, T0 + window * US_PER_S, key[i], value), "window %lld refused",
               (long long)window);
        count[window][i]++;
        sum[window][i] += value;
        total[window]++;
        if (next_random(&random) % 3000 == 0) {
            table_must_verify(lab.table);
            compare(&lab, now);
            lab_close(&lab);
            lab = lab_open(1, &config);
            set_now(&lab, T0 + now * US_PER_S);
        }
    }
    struct table_status status;
    compare(&lab, now);
    table_status(lab.table, &status);
    ck_assert_int_gt(now, WINDOWS / 2);
    ck_assert(_i > 1 || status.other > 0);
    table_must_verify(lab.table);
    lab_close(&lab);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("rows_model");
    TCase *tcase = tcase_create("rows_model");
    tcase_set_timeout(tcase, 100);
    tcase_add_checked_fixture(tcase, state_dir_make, state_dir_remove);
    tcase_add_loop_test(tcase, all_events_are_in_one_row, 0, 12);
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
