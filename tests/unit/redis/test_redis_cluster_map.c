/* A cluster's nodes and its map, by what the nodes answer. test_redis_rounds.c has what becomes of
 * commands. */
#include "redis/cluster_internal.h"

#include "tests/unit/redis/canned_cluster.h"

static void begin(void) {
    begin_cluster("redis+cluster://a:1,b:2", 2000);
}

static struct redis_host host(const char *name, int port) {
    struct redis_host made = {.port = port};
    snprintf(made.name, sizeof made.name, "%s", name);
    return made;
}

static struct cluster_node *find(const char *name, int port) {
    const struct redis_host made = host(name, port);
    return cluster->node[cluster_find_node(cluster, &made)];
}

/* Which node has that slot; "" when none has it. */
static const char *owner_of(unsigned slot) {
    const int node = cluster->owner[slot];
    return node == NOWHERE ? "" : cluster->node[node]->host.name;
}

START_TEST(an_address_is_one_node) {
    const struct redis_host a1 = host("a", 1), a2 = host("a", 2), b1 = host("b", 1);
    ck_assert_int_eq(cluster_find_node(cluster, &a1), 0);
    ck_assert_int_eq(cluster_find_node(cluster, &a2), 1);
    ck_assert_int_eq(cluster_find_node(cluster, &b1), 2);
    ck_assert_int_eq(cluster_find_node(cluster, &a2), 1);
    ck_assert_int_eq(cluster_find_node(cluster, &a1), 0);
    ck_assert_int_eq(cluster->nodes, 3);
    for (int port = 2; cluster->nodes < NODES_MAX; port++) {
        const struct redis_host more = host("c", port);
        ck_assert_int_eq(cluster_find_node(cluster, &more), cluster->nodes - 1);
    }
    const struct redis_host late = host("d", 1);
    ck_assert_int_eq(cluster_find_node(cluster, &late), NOWHERE);
    ck_assert_int_eq(cluster_find_node(cluster, &b1), 2);
}
END_TEST

START_TEST(a_node_that_did_not_answer_rests) {
    bool refused = true;
    struct cluster_node *a = find("a", 1);
    const int64_t before_ms = wire_now_ms();
    ck_assert(!cluster_ready_node(cluster, a, &refused)); /* nobody is there */
    ck_assert(!refused && cluster->stale && !cluster->changed);
    ck_assert_msg(strstr(cluster->why, "a:1: "), "%s", cluster->why);
    ck_assert_int_ge(a->rests_until_ms, before_ms + 1000);
    ck_assert_int_le(a->rests_until_ms, wire_now_ms() + 1000);

    canned_add("a:1", "", true);
    a->rests_until_ms = wire_now_ms() + 1000000;
    ck_assert(!cluster_ready_node(cluster, a, &refused)); /* it is not even tried */
    ck_assert_msg(strcmp(cluster->why, "a:1: has not answered, is tried again within a second"),
                  "what failed first is the reason");
    cluster->why[0] = '\0';
    ck_assert(!cluster_ready_node(cluster, a, &refused));
    ck_assert_str_eq(cluster->why, "a:1: has not answered, is tried again within a second");

    a->rests_until_ms = wire_now_ms();
    ck_assert(cluster_ready_node(cluster, a, &refused));
    ck_assert(a->wire && !cluster->changed);
    const struct wire *wire = a->wire;
    a->rests_until_ms = wire_now_ms() + 1000000;
    ck_assert(cluster_ready_node(cluster, a, &refused)); /* it is connected */
    ck_assert_ptr_eq(a->wire, wire);
}
END_TEST

static bool refuse(const struct wire_peer *peer, char *sentence) {
    snprintf(sentence, WIRE_WHY_MAX, "%s will not do", peer->address);
    return false;
}

START_TEST(a_node_that_is_refused) {
    bool refused = false;
    canned_add("a:1", "", true);
    config.check = refuse;
    ck_assert(!cluster_ready_node(cluster, find("a", 1), &refused));
    ck_assert(refused);
    ck_assert_str_eq(cluster->why, "a:1 will not do");
}
END_TEST

START_TEST(a_node_that_comes_up_later_is_a_change) {
    bool refused;
    canned_add("a:1", "", true);
    cluster->connected = true;
    ck_assert(cluster_is_whole(cluster));
    ck_assert(cluster_ready_node(cluster, find("a", 1), &refused));
    ck_assert(cluster->changed && !cluster_is_whole(cluster));
}
END_TEST

/* One that was silent is left alone; one that closed may be back at once. */
START_TEST(a_connection_that_is_lost) {
    bool refused;
    struct cluster_node *a = find("a", 1);
    for (int silent = 0; silent < 2; silent++) {
        canned_add("a:1", "", silent);
        ck_assert(cluster_ready_node(cluster, a, &refused));
        cluster->changed = cluster->stale = false;
        config.timeout_ms = silent ? 1 : 2000;
        ck_assert_ptr_null(wire_reply(&config, a->wire));
        cluster_lose_node(cluster, a);
        ck_assert(!a->wire && cluster->changed && cluster->stale);
        ck_assert_str_eq(cluster->why,
                         silent ? "a:1: no answer in time" : "a:1: Server closed the connection");
        ck_assert_int_eq(a->rests_until_ms > 0, silent);
    }
}
END_TEST

START_TEST(the_map_says_who_has_which_slots) {
    canned_add("a:1", MAP, false);
    ck_assert_msg(cluster_take_map(cluster), "%s", cluster->why);
    ck_assert_int_eq(cluster->nodes, 2);
    ck_assert_str_eq(owner_of(0), "a");
    ck_assert_str_eq(owner_of(8191), "a");
    ck_assert_str_eq(owner_of(8192), "b");
    ck_assert_str_eq(owner_of(16383), "b");
    ck_assert_ptr_null(cluster->node[0]->wire);
    ck_assert_int_eq(cluster->node[0]->host.port, 1);
    ck_assert_int_eq(cluster->node[1]->host.port, 2);
}
END_TEST

/* What the map before said is gone, and a node without a name is the one that was asked. */
START_TEST(a_new_map_takes_the_old_ones_place) {
    canned_add("a:1", MAP, false);
    canned_add("a:1", "*1\r\n*3\r\n:5\r\n:5\r\n*2\r\n$1\r\n?\r\n:7\r\n", false);
    canned_add("a:1", "*1\r\n*3\r\n:6\r\n:6\r\n*2\r\n$-1\r\n:7\r\n", false);
    canned_add("a:1", "*1\r\n*4\r\n:7\r\n:7\r\n*3\r\n$0\r\n\r\n:7\r\n$1\r\ni\r\n*0\r\n", false);
    ck_assert(cluster_take_map(cluster));
    for (unsigned slot = 5; slot <= 7; slot++) {
        ck_assert_msg(cluster_take_map(cluster), "%u: %s", slot, cluster->why);
        ck_assert_str_eq(owner_of(slot - 1), "");
        ck_assert_str_eq(owner_of(slot), "a");
        ck_assert_str_eq(owner_of(slot + 1), "");
        ck_assert_int_eq(cluster->node[cluster->owner[slot]]->host.port, 7);
    }
    ck_assert_int_eq(cluster->nodes, 3);
}
END_TEST

START_TEST(maps_that_are_not_understood) {
    static const char *const odd[] = {
        "*1\r\n*2\r\n:0\r\n:1\r\n",
        "*1\r\n*3\r\n$1\r\n0\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n$1\r\n1\r\n*2\r\n$1\r\na\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n$1\r\na\r\n",
        "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n",
        "*1\r\n*3\r\n:-1\r\n:0\r\n*2\r\n$1\r\na\r\n:1\r\n",
        "*2\r\n:0\r\n" RANGE_B,
    };
    url.hosts = 1;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        canned_add("a:1", odd[i], false);
        ck_assert_msg(!cluster_take_map(cluster), "%zu", i);
        ck_assert_str_eq(cluster->why, "a:1: CLUSTER SLOTS: an answer we do not understand");
    }
    canned_add("a:1", ":1\r\n", false);
    ck_assert(!cluster_take_map(cluster));
    ck_assert_str_eq(cluster->why, "a:1: CLUSTER SLOTS: no node has any slot");
    canned_add("a:1", "", false);
    ck_assert(!cluster_take_map(cluster));
    ck_assert_str_eq(cluster->why, "a:1: Server closed the connection");
}
END_TEST

/* The URL's nodes are asked in turn, and none of them is checked: it may be a replica. */
START_TEST(the_next_node_of_the_url_is_asked) {
    config.check = refuse;
    ck_assert(!cluster_take_map(cluster));
    canned_add("a:1", "-ERR not me\r\n", false);
    canned_add("b:2", MAP, false);
    ck_assert_msg(cluster_take_map(cluster), "%s", cluster->why);
    ck_assert_str_eq(owner_of(0), "a");
    ck_assert_ptr_eq(config.check, refuse);
}
END_TEST

START_TEST(a_node_that_is_connected_is_asked_first) {
    bool refused;
    const unsigned b = canned_add("b:2", MAP, true);
    find("a", 1);
    ck_assert(cluster_ready_node(cluster, find("b", 2), &refused));
    cluster->stale = true;
    cluster_refresh_map(cluster);
    ck_assert(!cluster->stale && !cluster->changed);
    ck_assert_str_eq(owner_of(0), "a");
    ck_assert_msg(strstr(canned_sent(b), "CLUSTER  $5  SLOTS"), "it was not asked");
}
END_TEST

/* One that refuses stays, one that is gone is lost, and then the URL's are asked. */
START_TEST(refreshing_goes_on_to_the_next) {
    bool refused;
    canned_add("a:1", "-ERR loading\r\n", true);
    canned_add("b:2", "", false);
    struct cluster_node *a = find("a", 1), *b = find("b", 2);
    ck_assert(cluster_ready_node(cluster, a, &refused));
    ck_assert(cluster_ready_node(cluster, b, &refused));
    canned_add("a:1", MAP, false);
    cluster_refresh_map(cluster);
    ck_assert(a->wire && !b->wire);
    ck_assert(cluster->changed && !cluster->stale);
    ck_assert_str_eq(owner_of(16383), "b");
    url.hosts = 0;
    wire_close(a->wire);
    a->wire = NULL;
    cluster_refresh_map(cluster); /* nobody is left to ask */
    ck_assert(cluster->stale);
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){60, begin, end_cluster}), "redis_cluster_map",
                an_address_is_one_node, a_node_that_did_not_answer_rests, a_node_that_is_refused,
                a_node_that_comes_up_later_is_a_change, a_connection_that_is_lost,
                the_map_says_who_has_which_slots, a_new_map_takes_the_old_ones_place,
                maps_that_are_not_understood, the_next_node_of_the_url_is_asked,
                a_node_that_is_connected_is_asked_first, refreshing_goes_on_to_the_next)
