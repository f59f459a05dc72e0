/* What every program here ends with: run one suite of check, tell by the exit status. */
#ifndef AFORO_TESTS_CHECK_MAIN_H
#define AFORO_TESTS_CHECK_MAIN_H

#include <check.h>
#include <stdlib.h>

/* Runs it, and gives main's exit status. */
static inline int check_run(Suite *suite) {
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* What goes before and after each test of a suite. */
struct check_fixture {
    double timeout_s; /* of a test */
    void (*set_up)(void);
    void (*tear_down)(void);
};

static inline Suite *check_suite(const char *name, const struct check_fixture *fixture,
                                 const TTest *const *tests, size_t n) {
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, fixture->timeout_s);
    tcase_add_checked_fixture(tcase, fixture->set_up, fixture->tear_down);
    for (size_t i = 0; i < n; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    return suite;
}

/* ck_assert_msg for loops of millions: check's own writes to a pipe even when all is well. */
#define DEMAND(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ck_abort_msg(__VA_ARGS__);                                                             \
        }                                                                                          \
    } while (0)

/* How often a loop of chance runs, or one over all that there is. A sanitizer looks at how bytes
 * are read, and not at what is read, and makes each turn five to ten times as slow: an eighth of
 * the release build's turns shows it as much. */
#ifdef __SANITIZE_ADDRESS__
#define CHECK_EVERY 8
#else
#define CHECK_EVERY 1
#endif
#define CHECK_TURNS(n) ((n) / CHECK_EVERY)

#define CHECK_MAIN(name, ...)                                                                      \
    int main(void) {                                                                               \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return check_run(check_suite(name, &(const struct check_fixture){.timeout_s = 100}, tests, \
                                     sizeof tests / sizeof tests[0]));                             \
    }

/* The same with a fixture, a struct check_fixture. */
#define CHECK_MAIN_WITH(fixture, name, ...)                                                        \
    int main(void) {                                                                               \
        const struct check_fixture each = fixture;                                                 \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return check_run(check_suite(name, &each, tests, sizeof tests / sizeof tests[0]));         \
    }

#endif
