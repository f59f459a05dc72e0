/* Mistyped flags and variables: what they are taken for, and what is none of ours. */
#include "common/usage.h"
#include "tests/unit/check_main.h"

#include <string.h>

static const char *const words[] = {"listen",   "threads",    "state",    "horizon",
                                    "max-body", "max-header", "tls-cert", "tls-key"};

START_TEST(the_nearest_word) {
    static const struct {
        const char *word, *nearest;
    } rows[] = {
        {"horizn", "horizon"},
        {"HORIZON", "horizon"},
        {"hroizon", "horizon"},
        {"hroizno", "horizon"},
        {"horzn", "horizon"},
        {"liztan", "listen"},
        {"liztax", NULL},
        {"threds", "threads"},
        {"treads", "threads"},
        {"lissten", "listen"},
        {"stat", "state"},
        {"sttae", "state"},
        {"max", "max-body"},
        {"max-boddy", "max-body"},
        {"tls", "tls-cert"},
        {"tls_key", "tls-key"},
        {"colour", NULL},
        {"port", NULL},
        {"", NULL},
        {"x", NULL},
        {"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *found = usage_nearest(rows[i].word, words, sizeof words / sizeof *words);
        ck_assert_msg(found == rows[i].nearest ||
                          (found && rows[i].nearest && strcmp(found, rows[i].nearest) == 0),
                      "%s: %s, not %s", rows[i].word, found ? found : "none",
                      rows[i].nearest ? rows[i].nearest : "none");
    }
}
END_TEST

/* What usage_environment says of this one variable; NULL: it is known or passed over. */
static const char *verdict(const char *variable, size_t *passed_over) {
    static char why[USAGE_WHY_MAX];
    char copy[256];
    ck_assert_uint_lt(strlen(variable), sizeof copy);
    char *const environment[] = {(char[]){"HOME=/"}, strcpy(copy, variable), NULL};
    return usage_environment(environment, passed_over, why) ? NULL : why;
}

START_TEST(known_variables) {
    static const char *const known[] = {
        "AFORO_LISTEN=:80",   "AFORO_MAX_BODY=",         "AFORO_REDIS_TTL_10MS=1h",
        "AFORO_SERVER=x",     "AFORO_REDIS_PASSWORD=x",  "AFORO_REDIS_PASSWORD_FILE=x",
        "AFORO_READ_TOKEN=x", "AFORO_READ_TOKEN_FILE=x", "AFORO=x",
        "AFOROX=1",           "DEV_AFORO_WERROR=1"};
    size_t passed_over;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        ck_assert_msg(!verdict(known[i], &passed_over) && passed_over == 0, "%s", known[i]);
    }
}
END_TEST

START_TEST(unknown_variables) {
    static const char *const rows[][2] = {
        {"AFORO_HORIZN=2h", "AFORO_HORIZN: no such variable; did you mean AFORO_HORIZON?"},
        {"AFORO_max_body=1", "AFORO_max_body: no such variable; did you mean AFORO_MAX_BODY?"},
        {"AFORO_SERVR=x", "AFORO_SERVR: no such variable; did you mean AFORO_SERVER?"},
        {"AFORO_REDIS_PASWORD=s3cret",
         "AFORO_REDIS_PASWORD: no such variable; did you mean AFORO_REDIS_PASSWORD?"},
        {"AFORO_COLOUR=red", "AFORO_COLOUR: no such variable; see --help"},
        {"AFORO_=1", "AFORO_: no such variable; see --help"},
        {"AFORO_PORT=8080", "AFORO_PORT: no such variable; see --help"}};
    size_t passed_over;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *why = verdict(rows[i][0], &passed_over);
        ck_assert_msg(why, "%s", rows[i][0]);
        ck_assert_str_eq(why, rows[i][1]);
    }
}
END_TEST

START_TEST(what_kubernetes_sets_is_passed_over) {
    static const char *const rows[] = {"AFORO_SERVICE_HOST=10.0.0.1",
                                       "AFORO_SERVICE_PORT=80",
                                       "AFORO_SERVICE_PORT_HTTP=80",
                                       "AFORO_PORT=tcp://10.0.0.1:80",
                                       "AFORO_PORT_8080_TCP=tcp://10.0.0.1:80",
                                       "AFORO_PORT_8080_TCP_ADDR=10.0.0.1",
                                       "AFORO_PORT_8080_TCP_PORT=8080",
                                       "AFORO_ADMIN_SERVICE_HOST=10.0.0.2",
                                       "AFORO_ADMIN_PORT=udp://10.0.0.2:80"};
    size_t passed_over;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_msg(!verdict(rows[i], &passed_over) && passed_over == 1, "%s", rows[i]);
    }
}
END_TEST

CHECK_MAIN("usage", the_nearest_word, known_variables, unknown_variables,
           what_kubernetes_sets_is_passed_over)
