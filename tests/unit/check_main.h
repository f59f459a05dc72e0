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

static inline int check_main(const char *name, const TTest *const *tests, size_t n) {
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 100);
    for (size_t i = 0; i < n; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}

/* ck_assert_msg for loops of millions: check's own writes to a pipe even when all is well. */
#define DEMAND(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ck_abort_msg(__VA_ARGS__);                                                             \
        }                                                                                          \
    } while (0)

#define CHECK_MAIN(name, ...)                                                                      \
    int main(void) {                                                                               \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return check_main(name, tests, sizeof tests / sizeof tests[0]);                            \
    }

#endif
