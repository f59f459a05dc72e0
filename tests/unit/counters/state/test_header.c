/* What the header of a state file says is believed, or refused with a sentence. */
#include "counters/time/horizon.h"
#include "tests/unit/counters/state/state_fixture.h"

START_TEST(foreign_short_and_truncated_files) {
    const struct counters_config config = tiny_config(1);
    static const char text[4096] = "not a state file at all";
    store(STATE_FILE_NAME, text, sizeof text);
    must_refuse(&config, "is not a state file of aforo", state_dir);
    for (size_t n = 0; n < whole_bytes; n += n < sizeof(struct state_header) + 8 ? 1 : 509) {
        store(STATE_FILE_NAME, whole, n);
        char why[COUNTERS_WHY_MAX] = "";
        DEMAND(counters_open(&config, NULL, why) == NULL && strstr(why, state_dir), "%zu bytes: %s",
               n, why);
        DEMAND(counters_open_readonly(state_dir, why) == NULL && strstr(why, state_dir),
               "%zu bytes: %s", n, why);
    }
    store(STATE_FILE_NAME, whole, whole_bytes - 1);
    must_refuse(&config, "truncated", "instead of");
    unsigned char after[FILE_MAX_BYTES];
    ck_assert_uint_eq(load(STATE_FILE_NAME, after, sizeof after), whole_bytes - 1);
    ck_assert_int_eq(memcmp(after, whole, whole_bytes - 1), 0); /* refused, and left as it was */
}
END_TEST

START_TEST(another_version_is_named) {
    const struct counters_config config = tiny_config(1);
    struct state_header *header = (struct state_header *)whole;
    header->version = 7;
    put_whole();
    must_refuse(&config, "version 7", "version 1");
}
END_TEST

START_TEST(another_geometry_is_named) {
    struct counters_config config = tiny_config(1);
    config.horizon_us = 3 * US_PER_S;
    must_refuse(&config, "--horizon 1s", "--horizon 3s");
    config = tiny_config(1);
    config.future_us = 2 * US_PER_S;
    must_refuse(&config, "--future 0s", "--future 2s");
    config = tiny_config(1);
    config.keep_us[RESOLUTION_1S] = 3600 * US_PER_S;
    must_refuse(&config, "7/7/7", "7/67/7");
}
END_TEST

START_TEST(the_node_id_stays) {
    struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    char made_up[COUNTERS_NODE_MAX];
    snprintf(made_up, sizeof made_up, "%s", counters_node_id(counters));
    counters_close(counters);
    ck_assert_uint_ge(strlen(made_up), 8);
    config.node_id = made_up;
    counters = open_or_fail(&config);
    ck_assert_str_eq(counters_node_id(counters), made_up);
    counters_close(counters);
    config.node_id = "another";
    must_refuse(&config, made_up, "--node-id another");
    static const char *const wrong[] = {
        "",
        "a b",
        "a:b",
        "a/b",
        "{a}",
        "\n",
        "0123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        config.node_id = wrong[i];
        must_refuse(&config, "node id", "1 to 63");
    }
}
END_TEST

START_TEST(settings_out_of_range) {
    static const int64_t horizons_us[] = {0, US_PER_S - 1, US_PER_S + 1, -US_PER_S,
                                          24 * 3600 * US_PER_S + US_PER_S};
    for (size_t i = 0; i < sizeof horizons_us / sizeof horizons_us[0]; i++) {
        struct counters_config config = tiny_config(1);
        config.horizon_us = horizons_us[i];
        must_refuse(&config, "horizon", "1 s to 24 h");
    }
    struct counters_config config = tiny_config(1);
    config.future_us = -US_PER_S;
    must_refuse(&config, "future", "0 to 1 h");
    config = tiny_config(0);
    must_refuse(&config, "0 workers", "1 to 256");
    config = tiny_config(COUNTERS_WORKERS_MAX + 1);
    must_refuse(&config, "257 workers", "1 to 256");
}
END_TEST

START_TEST(each_bit_of_the_header) {
    const uint64_t expected = expected_reads();
    uint64_t refused = 0;
    for (size_t byte = 0; byte < sizeof(struct state_header); byte++) {
        for (int bit = 0; bit < 8; bit++) {
            flip_and_look(byte, bit, expected, &refused);
        }
    }
    ck_assert_uint_eq(refused, sizeof(struct state_header) * 8);
}
END_TEST

/* Each bound is taken, and nothing beyond it. */
START_TEST(bounds_of_the_settings) {
    static const struct {
        int64_t horizon_us, future_us;
        unsigned workers;
        bool is_valid;
    } cases[] = {{HORIZON_MIN_US, 0, 1, true},
                 {HORIZON_MAX_US, FUTURE_MAX_US, COUNTERS_WORKERS_MAX, true},
                 {HORIZON_MIN_US - US_PER_S, 0, 1, false},
                 {HORIZON_MAX_US + US_PER_S, 0, 1, false},
                 {HORIZON_MAX_US, FUTURE_MAX_US + US_PER_S, 1, false},
                 {HORIZON_MAX_US, US_PER_S / 2, 1, false},
                 {HORIZON_MIN_US, -US_PER_S, 1, false},
                 {HORIZON_MIN_US, 0, 0, false},
                 {HORIZON_MIN_US, 0, COUNTERS_WORKERS_MAX + 1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[COUNTERS_WHY_MAX] = "";
        const struct counters_config config = {.dir = state_dir,
                                               .workers = cases[i].workers,
                                               .horizon_us = cases[i].horizon_us,
                                               .future_us = cases[i].future_us};
        ck_assert_msg(state_config_is_valid(&config, why) == cases[i].is_valid, "%zu: %s", i, why);
        ck_assert(cases[i].is_valid || *why);
    }
}
END_TEST

START_TEST(clean_only_between_close_and_open) {
    const struct counters_config config = tiny_config(1);
    ck_assert_uint_eq(header_now().clean, 1);
    struct counters *counters = open_or_fail(&config);
    ck_assert_uint_eq(header_now().clean, 0);
    ck_assert_uint_eq(counters->header.read_back, 0);
    ck_assert(counters_set_read_back_owner(counters));
    ck_assert_uint_eq(header_now().clean, 0);
    counters_close(counters);
    ck_assert_uint_eq(header_now().clean, 1);
    counters = open_or_fail(&config);
    ck_assert_uint_ne(counters->header.read_back, 0);
    counters_close(counters);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {foreign_short_and_truncated_files,
                                  another_version_is_named,
                                  another_geometry_is_named,
                                  the_node_id_stays,
                                  settings_out_of_range,
                                  bounds_of_the_settings,
                                  each_bit_of_the_header,
                                  clean_only_between_close_and_open};
    return check_main_in_state_dir("header", tests, sizeof tests / sizeof tests[0]);
}
