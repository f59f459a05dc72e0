/* Settings that the list takes and that cannot be used all the same: each is named. */
#include "server/check.h"
#include "tests/unit/check_main.h"

#include <string.h>

/* What is said of aforod with that flag; "": nothing. */
static const char *verdict(const char *word) {
    static char why[CHECK_WHY_MAX];
    char copy[256];
    struct options options;
    struct options_said said;
    ck_assert_uint_lt(strlen(word), sizeof copy);
    char *words[] = {(char[]){"aforod"}, strcpy(copy, word), NULL};
    ck_assert_msg(options_read(2, words, &options, &said) == OPTIONS_RUN, "%s", said.why);
    why[0] = '\0';
    ck_assert_int_eq(check_options(&options, why), why[0] == '\0');
    return why;
}

START_TEST(what_can_be_used) {
    static const char *const good[] = {"--horizon=1s",
                                       "--horizon=24h",
                                       "--future=0s",
                                       "--future=1h",
                                       "--node-id=a.B_c-9",
                                       "--listen=:8080",
                                       "--listen=[::1]:0",
                                       "--admin-listen=:81",
                                       "--redis=redis://127.0.0.1:6379/1",
                                       "--time-field=ts",
                                       "--time-field=ts,@t.x,created_at"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(!*verdict(good[i]), "%s: %s", good[i], verdict(good[i]));
    }
}
END_TEST

START_TEST(what_cannot) {
    static const char *const bad[][2] = {
        {"--horizon=1500ms", "--horizon: must be whole seconds"},
        {"--future=1ms", "--future: must be whole seconds"},
        {"--node-id=a/b", "--node-id: 'a/b' is not 1 to 63 of"},
        {"--listen=nonsense", "--listen: "},
        {"--admin-listen=127.0.0.1:x", "--admin-listen: "},
        {"--redis=http://x", "--redis: "},
        {"--redis=rediss://x/y", "--redis: "},
        {"--redis-tls-ca=/nowhere", "--redis-tls-ca: is of rediss://"},
        {"--redis-tls-cert=/nowhere", "--redis-tls-cert: is of rediss://"},
        {"--redis-tls-key=/nowhere", "--redis-tls-key: is of rediss://"},
        {"--redis-tls-name=x", "--redis-tls-name: is of rediss://"},
        {"--time-field=a,", "--time-field: a name has 1 to 31"},
        {"--time-field=a b", "--time-field: 'a b' is not a name"},
        {"--time-field=,a", "--time-field: a name has"},
        {"--time-field=1,2,3,4,5,6,7,8,9", "--time-field: at most 8"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *why = verdict(bad[i][0]);
        ck_assert_msg(strncmp(why, bad[i][1], strlen(bad[i][1])) == 0, "%s: %s", bad[i][0], why);
        ck_assert_ptr_null(strchr(why, '\n'));
    }
}
END_TEST

CHECK_MAIN("check_options", what_can_be_used, what_cannot)
