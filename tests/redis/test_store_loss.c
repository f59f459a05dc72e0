/* A Redis that has less than it acknowledged: who notices that, and who tells the other nodes. */
#include "redis/schema.h"
#include "tests/redis/one_server.h"

#include <check.h>
#include <string.h>

/* The sum before is the acknowledgement: less than what was acknowledged is a loss. */
START_TEST(a_store_that_was_emptied_or_set_back_says_so) {
    char dump[4096];
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_uint_eq(sum_of(store, CHUNK), 0);
    ck_assert_uint_eq(had(store, 4), 0);
    redisReply *copy = lab_command(&server, "DUMP " KEY);
    ck_assert_uint_lt(copy->len, sizeof dump);
    ck_assert_uint_eq(had(store, 6), 4);
    lab_do(&server, "FLUSHALL");
    ck_assert_uint_eq(sum_of(store, CHUNK), 0);
    ck_assert_uint_eq(had(store, 7), 0);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 7);
    lab_do(&server, "RESTORE " KEY " 0 %b REPLACE", copy->str, (size_t)copy->len);
    freeReplyObject(copy);
    ck_assert_uint_eq(sum_of(store, CHUNK), 4);
    ck_assert_uint_eq(had(store, 8), 4);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 8);
    store->ops->close(store);
}
END_TEST

static bool lost(struct store *store, bool tell, uint64_t *number) {
    return tell ? store->ops->tell_loss(store, number, store_why)
                : store->ops->sums(store, &(struct store_sums){NULL, 0, NULL, number}, store_why);
}

/* Told once, however many notice it. */
START_TEST(a_loss_is_told_by_who_finds_it_first) {
    struct store *one = ready_store(url, "n1", TIMEOUT_MS),
                 *two = ready_store(url, "n2", TIMEOUT_MS);
    uint64_t ones = 9, twos = 9;
    ck_assert(lost(one, false, &ones) && lost(two, false, &twos));
    ck_assert(ones == 0 && twos == 0);
    ck_assert(lost(one, true, &ones));
    ck_assert_uint_ne(ones, 0);
    const uint64_t first = ones;
    ck_assert(lost(two, true, &twos)); /* has not heard of it: it is the same loss */
    ck_assert_uint_eq(twos, first);
    ck_assert(lost(two, true, &twos)); /* knows of that one: it is another */
    ck_assert_uint_ne(twos, first);
    ck_assert(lost(one, false, &ones));
    ck_assert_uint_eq(ones, twos);
    ck_assert_int_eq(lab_number(&server, "TTL " SCHEMA_LOST_KEY), -1);
    /* gone with everything else, and told of: never a number that a quiet node knows already */
    for (int i = 0; i < 3; i++) {
        lab_do(&server, "FLUSHALL");
        ones = 0;
        ck_assert(lost(one, true, &ones));
        ck_assert(ones != twos && ones != first);
        ck_assert(lost(two, false, &twos));
        ck_assert_uint_eq(ones, twos);
    }
    lab_do(&server, "SET " SCHEMA_LOST_KEY " 9007199254740000"); /* a clock that was ahead */
    ck_assert(lost(one, false, &ones) && lost(one, true, &ones));
    ck_assert_uint_eq(ones, 9007199254740001);
    twos = ones;
    lab_do(&server, "SET " SCHEMA_LOST_KEY " many");
    ck_assert(!lost(one, false, &ones));
    ck_assert_msg(strstr(store_why, SCHEMA_LOST_KEY) && strstr(store_why, "no number"), "%s",
                  store_why);
    ck_assert_uint_eq(ones, twos); /* as it was */
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_store_that_was_emptied_or_set_back_says_so,
                                  a_loss_is_told_by_who_finds_it_first};
    return one_server_run("redis/store_loss", tests, sizeof tests / sizeof *tests);
}
