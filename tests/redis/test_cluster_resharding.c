/* Six real cluster nodes, and slots that move between them under load. */
#include "tests/redis/cluster_nodes.h"

#include <check.h>

/* Moves up to `limit` keys of a slot between two masters. */
static void move_keys(int from, int to, unsigned slot, int limit) {
    redisReply *keys = lab_command(&node[from], "CLUSTER GETKEYSINSLOT %u %d", slot, limit);
    for (size_t i = 0; i < keys->elements; i++) {
        lab_do(&node[from], "MIGRATE 127.0.0.1 %d %s 0 5000", node[to].port, keys->element[i]->str);
    }
    freeReplyObject(keys);
}

static void open_slot(int from, int to, unsigned slot) {
    lab_do(&node[to], "CLUSTER SETSLOT %u IMPORTING %s", slot, node_ids[from]);
    lab_do(&node[from], "CLUSTER SETSLOT %u MIGRATING %s", slot, node_ids[to]);
}

static void close_slot(int to, unsigned slot) {
    for (int i = 0; i < MASTERS; i++) {
        lab_do(&node[(to + i) % MASTERS], "CLUSTER SETSLOT %u NODE %s", slot, node_ids[to]);
    }
}

START_TEST(a_slot_moves_under_load) {
    const unsigned at = chunk_on(0);
    const struct store_chunk *chunk = &driver.chunk[at];
    const unsigned slot = slot_of(chunk);
    open_slot(0, 1, slot);
    load_for(50);
    driver_count(&driver, at, 1); /* not moved yet: taken where it is */
    driver_turn(&driver);
    ck_assert_msg(driver.acked[at], "%s", driver.why);
    move_keys(0, 1, slot, 100); /* there now: asked for by ASK, total and parts in one */
    driver_count(&driver, at, 1);
    driver_turn(&driver);
    ck_assert_msg(driver.acked[at], "%s", driver.why);
    driver_settle(&driver, SETTLE_MS);
    ck_assert_int_eq(lab_number(&node[0], "CLUSTER COUNTKEYSINSLOT %u", slot), 0);
    driver_check(&driver, url); /* by ASK too */
    load_for(50);
    close_slot(1, slot);
    load_for(100);
    driver_settle(&driver, SETTLE_MS);
    driver_check(&driver, url);
    ck_assert_int_eq(lab_number(&node[1], "CLUSTER COUNTKEYSINSLOT %u", slot), 1);
    /* both masters were ours before: nothing can be missing */
    ck_assert_uint_eq(driver.connects, 1);
}
END_TEST

START_TEST(every_slot_of_ours_moves_under_load) {
    for (unsigned i = 0; i < DRIVER_CHUNKS; i++) {
        const unsigned slot = slot_of(&driver.chunk[i]);
        if (slot >= SLOTS_EACH) {
            continue;
        }
        open_slot(0, 2, slot);
        driver_count(&driver, i, 1);
        driver_turn(&driver);
        move_keys(0, 2, slot, 100);
        driver_count(&driver, 0, 3);
        driver_turn(&driver);
        driver_count(&driver, i, 1);
        driver_turn(&driver);
        close_slot(2, slot);
        if (i > 12) { /* some more would only take longer */
            break;
        }
    }
    driver_settle(&driver, SETTLE_MS);
    driver_check(&driver, url);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_slot_moves_under_load, every_slot_of_ours_moves_under_load};
    return cluster_nodes_run("redis/cluster_resharding", tests, sizeof tests / sizeof *tests);
}
