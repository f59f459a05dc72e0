/* The sum of its authors' test vectors, in one piece and in two. */
#include "counters/state/fnv.h"

#include "tests/unit/check_main.h"

START_TEST(vectors) {
    ck_assert_uint_eq(fnv1a64(FNV1A64_BASIS, "", 0), UINT64_C(0xcbf29ce484222325));
    ck_assert_uint_eq(fnv1a64(FNV1A64_BASIS, "a", 1), UINT64_C(0xaf63dc4c8601ec8c));
    ck_assert_uint_eq(fnv1a64(FNV1A64_BASIS, "foobar", 6), UINT64_C(0x85944171f73967e8));
    ck_assert_uint_eq(fnv1a64(fnv1a64(FNV1A64_BASIS, "foo", 3), "bar", 3),
                      UINT64_C(0x85944171f73967e8));
}
END_TEST

CHECK_MAIN("fnv", vectors)
