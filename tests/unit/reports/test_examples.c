#include "reports/definitions.h"

#include "tests/unit/check_main.h"

#include <stdio.h>

static const struct table_span span = {2, 3600 * US_PER_S, 60 * US_PER_S};

START_TEST(the_examples_are_right) {
    static const char *const files[] = {"billing", "web", "scoreboard"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[300], why[DEFINITIONS_WHY_MAX] = "";
        snprintf(path, sizeof path, "%s/%s.yaml", AFORO_EXAMPLES, files[i]);
        struct definitions *definitions = definitions_load(path, &span, why);
        ck_assert_msg(definitions != NULL, "%s", why);
        ck_assert_uint_gt(definitions->reports, 0);
        for (unsigned r = 0; r < definitions->reports; r++) {
            const struct table_config *table = &definitions->report[r].table;
            for (unsigned w = 0; table->keyed && w < table->widths; w++) {
                ck_assert_int_ge(table_window_rows(table, &span, w, 16), 25);
            }
        }
        definitions_free(definitions);
    }
}
END_TEST

CHECK_MAIN("examples", the_examples_are_right)
