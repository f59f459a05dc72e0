#include "tests/redis/cluster_nodes.h"

#include "redis/schema.h"

#include "tests/unit/check_main.h"
#include <stdio.h>
#include <string.h>

#define TEST_S 60

struct lab_server node[NODES];
char node_ids[NODES][NODE_ID_MAX];
char url[160];
char store_why[STORE_WHY_MAX];
struct driver driver;

/* True when this node's CLUSTER INFO and CLUSTER NODES say that all is as it should be. */
static bool sees_all(struct lab_server *at) {
    redisReply *info = lab_command(at, "CLUSTER INFO");
    redisReply *nodes = lab_command(at, "CLUSTER NODES");
    int masters = 0, replicas = 0;
    for (const char *line = nodes->str; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char flags[64] = "";
        sscanf(line, "%*s %*s %63s", flags);
        masters += strstr(flags, "master") && !strstr(flags, "fail");
        replicas += strstr(flags, "slave") && !strstr(flags, "fail");
    }
    const bool ready =
        strstr(info->str, "cluster_state:ok") && masters == MASTERS && replicas == NODES - MASTERS;
    freeReplyObject(info);
    freeReplyObject(nodes);
    return ready;
}

static bool is_linked_replica(struct lab_server *at) {
    redisReply *info = lab_command(at, "INFO replication");
    const bool linked =
        strstr(info->str, "role:slave") && strstr(info->str, "master_link_status:up");
    freeReplyObject(info);
    return linked;
}

static void wait_until(bool (*ready)(struct lab_server *at), struct lab_server *at,
                       const char *what) {
    for (const int64_t end = lab_now_ms() + SETTLE_MS; lab_now_ms() < end; lab_sleep_ms(30)) {
        if (ready(at)) {
            return;
        }
    }
    ck_abort_msg("the node on port %d waits in vain: %s", at->port, what);
}

/* The first three are masters of a third of the slots each, node i + 3 is the replica of node i. */
static void setup(void) {
    for (int i = 0; i < NODES; i++) {
        lab_start(&node[i],
                  "cluster-enabled yes\ncluster-node-timeout 2000\nrepl-diskless-sync-delay 0\n"
                  "cluster-replica-validity-factor 0");
        lab_text(&node[i], node_ids[i], NODE_ID_MAX, "CLUSTER MYID");
    }
    for (int i = 0; i < MASTERS; i++) {
        const int last = i == MASTERS - 1 ? CLUSTER_SLOTS - 1 : (i + 1) * SLOTS_EACH - 1;
        lab_do(&node[i], "CLUSTER ADDSLOTSRANGE %d %d", i * SLOTS_EACH, last);
        lab_do(&node[i], "CLUSTER SET-CONFIG-EPOCH %d", i + 1);
    }
    for (int i = 1; i < NODES; i++) {
        lab_do(&node[0], "CLUSTER MEET 127.0.0.1 %d %d", node[i].port, node[i].bus_port);
    }
    for (int i = MASTERS; i < NODES; i++) {
        const int64_t end = lab_now_ms() + SETTLE_MS;
        redisReply *reply = lab_command(&node[i], "CLUSTER REPLICATE %s", node_ids[i - MASTERS]);
        while (reply->type == REDIS_REPLY_ERROR &&
               lab_now_ms() < end) { /* it has not heard of its master yet */
            freeReplyObject(reply);
            lab_sleep_ms(50);
            reply = lab_command(&node[i], "CLUSTER REPLICATE %s", node_ids[i - MASTERS]);
        }
        ck_assert_int_ne(reply->type, REDIS_REPLY_ERROR);
        freeReplyObject(reply);
    }
    for (int i = 0; i < NODES; i++) {
        wait_until(sees_all, &node[i], "three masters and three replicas");
    }
    for (int i = MASTERS; i < NODES; i++) {
        wait_until(is_linked_replica, &node[i], "linked to its master");
    }
    snprintf(url, sizeof url, "redis+cluster://127.0.0.1:%d,127.0.0.1:%d", node[0].port,
             node[4].port);
    driver_begin(&driver, driver_store(url, "n1", TIMEOUT_MS));
    driver_count(&driver, 0, DRIVER_CHUNKS);
    driver_settle(&driver, SETTLE_MS);
}

static void teardown(void) {
    driver_end(&driver);
    for (int i = 0; i < NODES; i++) {
        lab_kill(&node[i]);
    }
}

int cluster_nodes_run(const char *name, const TTest *const *tests, size_t n) {
    const struct check_fixture each = {TEST_S, setup, teardown};
    return lab_run(check_suite(name, &each, tests, n));
}

uint16_t slot_of(const struct store_chunk *chunk) {
    char key[SCHEMA_KEY_MAX];
    const size_t len = schema_chunk_key(chunk->place.resolution, chunk->place.chunk,
                                        schema_group("n1", SCHEMA_GROUPS_MAX), key);
    return cluster_slot(key, len);
}

int master_of(const struct store_chunk *chunk) {
    const int owner = slot_of(chunk) / SLOTS_EACH;
    return owner < MASTERS ? owner : MASTERS - 1;
}

unsigned chunk_on(int master) {
    for (unsigned i = 0; i < DRIVER_CHUNKS; i++) {
        if (master_of(&driver.chunk[i]) == master) {
            return i;
        }
    }
    ck_abort_msg("no chunk on master %d", master);
    return 0;
}

void load_for(int64_t ms) {
    for (const int64_t end = lab_now_ms() + ms; lab_now_ms() < end; lab_sleep_ms(5)) {
        driver_count(&driver, (unsigned)lab_now_ms(), 25);
        driver_turn(&driver);
    }
}
