/* The sum of its authors' test vectors. */
#include "redis/fnv.h"

#include "tests/unit/check_main.h"

START_TEST(vectors) {
    ck_assert_uint_eq(fnv1a32(""), UINT32_C(0x811c9dc5));
    ck_assert_uint_eq(fnv1a32("a"), UINT32_C(0xe40c292c));
    ck_assert_uint_eq(fnv1a32("foobar"), UINT32_C(0xbf9cf968));
}
END_TEST

CHECK_MAIN("redis_fnv", vectors)
