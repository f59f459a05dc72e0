/* One node, one name: leases, and whose a part is. */
#include "tests/redis/one_server.h"

#include <check.h>
#include <string.h>

/* A server that lost the lease and does not know yet must not add to what its copy wrote, nor the
 * other way round. */
START_TEST(another_owner_is_kept_out_unless_all_is_as_it_thinks) {
    struct store *one = store_of("n1", "machine:1", 7200, 3600),
                 *two = store_of("n1", "machine:2", 7200, 3600);
    ck_assert_uint_eq(had(one, 10), 0);
    ck_assert_int_eq(send_from(two, 0, 12).outcome, STORE_FOREIGN); /* it knows of nothing here */
    ck_assert_int_eq(send_from(two, 9, 12).outcome, STORE_FOREIGN);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 10);
    ck_assert_uint_eq(sum_of(one, CHUNK), 10);
    const struct store_ack adopted = send_from(two, 10, 12); /* it has read it back */
    ck_assert(adopted.outcome == STORE_STORED && adopted.had == 10);
    /* now the first one is the other */
    ck_assert_int_eq(send_from(one, 10, 13).outcome, STORE_FOREIGN);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 12);
    ck_assert_uint_eq(had(two, 13), 12); /* its own: whatever it thinks, its values only grow */
    const struct store_ack as_it_is = send_from(one, 13, 13); /* adopted with nothing new, too */
    ck_assert(as_it_is.outcome == STORE_STORED && as_it_is.had == 13);
    ck_assert_int_eq(send_from(two, 12, 20).outcome, STORE_FOREIGN);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 13);
    lab_do(&server, "FLUSHALL"); /* nothing here is nobody's */
    ck_assert_uint_eq(had(two, 20), 0);
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

static void keep_part(void *cls, const struct store_part *part) {
    *(struct store_part *)cls = *part;
}

static struct store_part part_of_chunk(struct store *store) {
    struct store_part part = {0};
    ck_assert_msg(store->ops->read_back(store, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1},
                                        &(struct store_taker){keep_part, &part}, store_why),
                  "%s", store_why);
    return part;
}

/* Whoever was replaced learns how much of its own came with the part. */
START_TEST(what_an_owner_left_is_kept_beside_the_part) {
    struct store *one = store_of("n1", "machine:1", 7200, 3600),
                 *two = store_of("n1", "machine:2", 7200, 3600);
    ck_assert_uint_eq(had(one, 10), 0);
    struct store_part part = part_of_chunk(one);
    ck_assert(part.ours_known && part.ours_only && part.ours[7] == 10);
    part = part_of_chunk(two);
    ck_assert(!part.ours_known && part.count[7] == 10);
    ck_assert_int_eq(send_from(two, 10, 12).outcome, STORE_STORED);
    ck_assert_uint_eq(had(two, 15), 12);
    part = part_of_chunk(one);
    ck_assert(part.ours_known && !part.ours_only && part.ours[7] == 10 && part.count[7] == 15);
    ck_assert_int_eq(send_from(one, 15, 16).outcome, STORE_STORED);
    ck_assert_int_eq(send_from(two, 16, 18).outcome, STORE_STORED);
    part = part_of_chunk(one);
    ck_assert(part.ours_known && part.ours[7] == 16); /* the last time that it was replaced */
    part = part_of_chunk(two);
    ck_assert(part.ours_only && part.ours[7] == 18);
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

/* The same by somebody who has seen another one hold it. */
static enum store_lease wait_for_lease(struct store *store, const char *owner,
                                       char holder[STORE_HOLDER_MAX]) {
    const struct store_claim claim = {.owner = owner, .waiting = true, .dead = ""};
    *store_why = *holder = '\0';
    return store->ops->lease(store, &claim, holder, store_why);
}

START_TEST(a_lease_is_taken_kept_held_and_given_back) {
    char holder[STORE_HOLDER_MAX], later[STORE_HOLDER_MAX];
    struct store *one = ready_store(url, "n1", TIMEOUT_MS),
                 *two = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_int_eq(lease(one, "boot:1:2", holder), STORE_LEASE_TAKEN);
    ck_assert_int_eq(lease(one, "boot:1:2", holder), STORE_LEASE_KEPT);
    const long long ms = lab_number(&server, "PTTL aforo:2:{node:n1}");
    ck_assert(ms > STORE_LEASE_MS / 2 && ms <= STORE_LEASE_MS);
    ck_assert_int_eq(lease(two, "boot:1:3", holder), STORE_LEASE_HELD);
    ck_assert_ptr_nonnull(strstr(holder, "boot:1:2"));
    ck_assert_int_eq(lease(two, "boot:1:3", later), STORE_LEASE_HELD);
    ck_assert_str_eq(holder, later); /* not renewed in between: it may be dead */
    ck_assert_int_eq(lease(one, "boot:1:2", later), STORE_LEASE_KEPT);
    ck_assert_int_eq(lease(two, "boot:1:3", later), STORE_LEASE_HELD);
    ck_assert_str_ne(holder, later);    /* it lives */
    two->ops->release(two, "boot:1:3"); /* not its own: nothing happens */
    ck_assert_int_eq(lease(one, "boot:1:2", holder), STORE_LEASE_KEPT);
    one->ops->release(one, "boot:1:2");
    ck_assert_int_eq(wait_for_lease(two, "boot:1:3", holder), STORE_LEASE_TAKEN);
    lab_do(&server, "PEXPIRE aforo:2:{node:n1} 1");
    lab_sleep_ms(20);
    /* gone without a word: not for who waits, and for its owner as if nothing was */
    ck_assert_int_eq(wait_for_lease(one, "boot:1:2", holder), STORE_LEASE_HELD);
    ck_assert_str_eq(holder, "");
    ck_assert_int_eq(lease(one, "boot:1:2", holder), STORE_LEASE_TAKEN);
    one->ops->rename(one, "n1.copy"); /* another name, another lease */
    ck_assert_int_eq(lease(one, "boot:1:2", holder), STORE_LEASE_TAKEN);
    ck_assert_int_eq(lab_number(&server, "EXISTS aforo:2:{node:n1} aforo:2:{node:n1.copy}"), 2);
    lab_do(&server, "DEL aforo:2:{node:n1.copy}");
    lab_do(&server, "RPUSH aforo:2:{node:n1.copy} x");
    ck_assert_int_eq(lease(one, "boot:1:2", holder), STORE_LEASE_FAILED);
    ck_assert_msg(strstr(store_why, "aforo:2:{node:n1.copy}") && strstr(store_why, "WRONGTYPE"),
                  "%s", store_why);
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

START_TEST(after_a_rename_parts_are_the_new_name_s) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_uint_eq(had(store, 5), 0);
    store->ops->rename(store, "n1.0123abcd");
    ck_assert_uint_eq(sum_of(store, CHUNK), 0);
    ck_assert_uint_eq(had(store, 2), 0);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 7);
    ck_assert_int_eq(lab_number(&server, "HEXISTS " KEY " n:n1.0123abcd"), 1);
    store->ops->close(store);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {another_owner_is_kept_out_unless_all_is_as_it_thinks,
                                  what_an_owner_left_is_kept_beside_the_part,
                                  a_lease_is_taken_kept_held_and_given_back,
                                  after_a_rename_parts_are_the_new_name_s};
    return one_server_run("redis/store_lease", tests, sizeof tests / sizeof *tests);
}
