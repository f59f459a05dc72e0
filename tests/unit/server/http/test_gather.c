#include "server/http/gather.h"

#include "tests/unit/check_main.h"

#include <string.h>

static char bytes[GATHER_MAX + 1];

START_TEST(pieces_become_one) {
    struct gather gather = {0};
    ck_assert(!gather_holds(&gather));
    gather_add(&gather, NULL, 0);
    ck_assert(!gather_holds(&gather));
    for (int i = 0; i < 5000; i++) {
        gather_add(&gather, "ab", 2);
    }
    ck_assert(gather_holds(&gather));
    ck_assert_uint_eq(gather.len, 10000);
    for (size_t i = 0; i < gather.len; i++) {
        ck_assert_int_eq(gather.text[i], i % 2 ? 'b' : 'a');
    }
    gather_clear(&gather);
    ck_assert(!gather_holds(&gather));
    gather_free(&gather);
    ck_assert_ptr_null(gather.text);
}
END_TEST

START_TEST(there_is_an_end_to_it) {
    struct gather gather = {0};
    gather_add(&gather, bytes, GATHER_MAX);
    ck_assert_uint_eq(gather.len, GATHER_MAX);
    ck_assert(!gather.overlong);
    gather_add(&gather, bytes, 0);
    ck_assert(!gather.overlong);
    gather_add(&gather, bytes, 1);
    ck_assert(gather.overlong && gather_holds(&gather));
    ck_assert_uint_le(gather.cap, GATHER_MAX);
    gather_shrink(&gather);
    ck_assert(!gather_holds(&gather));
    ck_assert_uint_eq(gather.cap, 0);
    gather_add(&gather, bytes, GATHER_MAX + 1);
    ck_assert(gather.overlong);
    gather_clear(&gather);
    gather_add(&gather, bytes, 4000);
    gather_shrink(&gather); /* a few lines' worth stays for the next request */
    ck_assert(!gather_holds(&gather));
    ck_assert_uint_eq(gather.cap, 4096);
    gather_free(&gather);
}
END_TEST

CHECK_MAIN("gather", pieces_become_one, there_is_an_end_to_it)
