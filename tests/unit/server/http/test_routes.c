#include "server/http/routes.h"

#include "server/http/answers.h"
#include "server/refusals.h"
#include "tests/unit/check_main.h"

#include <stdio.h>
#include <string.h>

static const struct routes_listener both = {.counts = true, .reads = true};
static const struct routes_listener counting = {.counts = true, .reads = false};
static const struct routes_listener reading = {.counts = false, .reads = true};

START_TEST(paths_and_methods) {
    static const struct {
        const char *path;
        enum route route;
    } paths[] = {
        {"/", ROUTE_ROOT},
        {"/events", ROUTE_EVENTS},
        {"/healthz", ROUTE_HEALTH},
        {"/stats", ROUTE_PAGE},
        {"/nodes", ROUTE_PAGE},
        {"/live", ROUTE_PAGE},
        {"/page/page.js", ROUTE_LIVE},
        {"/page/chart.js", ROUTE_LIVE},
        {"/page/", ROUTE_NONE},
        {"/counts/1s", ROUTE_PAGE},
        {"/counts/10ms", ROUTE_PAGE},
        {"/counts/1min", ROUTE_PAGE},
        {"/counts/2s", ROUTE_NONE},
        {"/counts/", ROUTE_NONE},
        {"/event", ROUTE_NONE},
        {"/events/", ROUTE_NONE},
        {"", ROUTE_NONE},
        {"*", ROUTE_NONE},
        {"//", ROUTE_NONE},
        {"/Events", ROUTE_NONE},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        ck_assert_msg(routes_find(paths[i].path) == paths[i].route, "%s", paths[i].path);
    }
    ck_assert_int_eq(routes_find_method("POST"), METHOD_POST);
    ck_assert_int_eq(routes_find_method("GET"), METHOD_GET);
    ck_assert_int_eq(routes_find_method("HEAD"), METHOD_HEAD);
    ck_assert_int_eq(routes_find_method("post"), METHOD_OTHER);
    ck_assert_int_eq(routes_find_method("PUT"), METHOD_OTHER);
}
END_TEST

/* For POST, GET and another method, at a listener that does both, that counts, and that reads. */
START_TEST(what_route_and_method_decide) {
    static const enum method methods[] = {METHOD_POST, METHOD_GET, METHOD_OTHER};
    static const struct {
        enum route route;
        enum answer answer[3][3]; /* [listener][method] */
    } rows[] = {
        {ROUTE_ROOT,
         {{ANSWER_NONE, ANSWER_ROOT_PAGE, ANSWER_NOT_ALLOWED_ROOT},
          {ANSWER_NONE, ANSWER_NOT_ALLOWED_EVENTS, ANSWER_NOT_ALLOWED_EVENTS},
          {ANSWER_NOT_ALLOWED_READ, ANSWER_ROOT_PAGE, ANSWER_NOT_ALLOWED_READ}}},
        {ROUTE_EVENTS,
         {{ANSWER_NONE, ANSWER_NOT_ALLOWED_EVENTS, ANSWER_NOT_ALLOWED_EVENTS},
          {ANSWER_NONE, ANSWER_NOT_ALLOWED_EVENTS, ANSWER_NOT_ALLOWED_EVENTS},
          {ANSWER_NOT_FOUND, ANSWER_NOT_FOUND, ANSWER_NOT_FOUND}}},
        {ROUTE_PAGE,
         {{ANSWER_NOT_ALLOWED_READ, ANSWER_NONE, ANSWER_NOT_ALLOWED_READ},
          {ANSWER_NOT_FOUND, ANSWER_NOT_FOUND, ANSWER_NOT_FOUND},
          {ANSWER_NOT_ALLOWED_READ, ANSWER_NONE, ANSWER_NOT_ALLOWED_READ}}},
        {ROUTE_HEALTH,
         {{ANSWER_NOT_ALLOWED_READ, ANSWER_NONE, ANSWER_NOT_ALLOWED_READ},
          {ANSWER_NOT_ALLOWED_READ, ANSWER_NONE, ANSWER_NOT_ALLOWED_READ},
          {ANSWER_NOT_ALLOWED_READ, ANSWER_NONE, ANSWER_NOT_ALLOWED_READ}}},
        {ROUTE_NONE,
         {{ANSWER_NOT_FOUND, ANSWER_NOT_FOUND, ANSWER_NOT_FOUND},
          {ANSWER_NOT_FOUND, ANSWER_NOT_FOUND, ANSWER_NOT_FOUND},
          {ANSWER_NOT_FOUND, ANSWER_NOT_FOUND, ANSWER_NOT_FOUND}}},
    };
    const struct routes_listener listeners[] = {both, counting, reading};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int l = 0; l < 3; l++) {
            for (int m = 0; m < 3; m++) {
                ck_assert_msg(routes_decide(rows[i].route, methods[m], listeners[l]) ==
                                  rows[i].answer[l][m],
                              "route %zu, listener %d, method %d", i, l, m);
            }
            ck_assert_int_eq(routes_decide(rows[i].route, METHOD_HEAD, listeners[l]),
                             rows[i].answer[l][1]);
        }
    }
}
END_TEST

START_TEST(which_requests_bring_events) {
    ck_assert(routes_bring_events(ROUTE_ROOT, METHOD_POST, both));
    ck_assert(routes_bring_events(ROUTE_EVENTS, METHOD_POST, counting));
    ck_assert(!routes_bring_events(ROUTE_EVENTS, METHOD_POST, reading));
    ck_assert(!routes_bring_events(ROUTE_ROOT, METHOD_GET, both));
    ck_assert(!routes_bring_events(ROUTE_PAGE, METHOD_POST, both));
    ck_assert(!routes_bring_events(ROUTE_NONE, METHOD_POST, both));
}
END_TEST

START_TEST(every_answer_can_be_made) {
    struct answers answers = {0};
    ck_assert(answers_make(&answers));
    for (int i = ANSWER_NONE + 1; i < ANSWERS; i++) {
        ck_assert_ptr_nonnull(answers.response[i]);
        ck_assert_ptr_null(MHD_get_response_header(answers.response[i], "Connection"));
        ck_assert_str_eq(MHD_get_response_header(answers.last_response[i], "Connection"), "close");
    }
    ck_assert_str_eq(
        MHD_get_response_header(answers.response[ANSWER_UNAUTHORISED], "WWW-Authenticate"),
        "Bearer");
    ck_assert_str_eq(MHD_get_response_header(answers.response[ANSWER_THROTTLED], "Retry-After"),
                     "1");
    answers_free(&answers);
}
END_TEST

START_TEST(refusals_are_of_the_list) {
    ck_assert_int_eq(answers_reason(ANSWER_TOO_LARGE), REFUSAL_TOO_LARGE);
    ck_assert_int_eq(answers_reason(ANSWER_UNAUTHORISED), REFUSAL_UNAUTHORISED);
    ck_assert_int_eq(answers_reason(ANSWER_THROTTLED), REFUSAL_THROTTLED);
    ck_assert_int_eq(answers_reason(ANSWER_BAD_FRAMING), REFUSAL_MALFORMED);
    for (int i = 0; i < REFUSALS; i++) {
        const struct refusal_info *info = &refusal_table[i];
        char line[256];
        snprintf(line, sizeof line, "%s\n", info->sentence);
        ck_assert_str_eq(info->line, line);
        ck_assert_uint_ge(info->status, 400);
        ck_assert(info->status < 500 || info->status == 503); /* not_kept: try again later */
    }
}
END_TEST

CHECK_MAIN("routes", paths_and_methods, what_route_and_method_decide, which_requests_bring_events,
           every_answer_can_be_made, refusals_are_of_the_list)
