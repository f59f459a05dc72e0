/* What the fuzz targets demand: a condition that does not hold names its line and ends the run, so
 * that the input is kept. */
#ifndef AFORO_TESTS_FUZZ_CHECK_H
#define AFORO_TESTS_FUZZ_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static inline void check_at(bool holds, int line) {
    if (!holds) {
        fprintf(stderr, "line %d does not hold\n", line);
        abort();
    }
}
#define check(holds) check_at(holds, __LINE__)

#endif
