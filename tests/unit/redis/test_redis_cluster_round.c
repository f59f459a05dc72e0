/* How often a queue goes out, and what is awaited of whom: the bounds of cluster_round.c.
 * test_redis_rounds.c has what each kind of answer leads to. */
#include "redis/cluster_internal.h"

#include "tests/unit/redis/canned_cluster.h"

#define GET_A "*2  $3  GET  $3  bar  "
#define ROUNDS 16 /* of a queue that is told to come again each time */

static void begin(void) {
    begin_cluster("redis+cluster://a:1", 60000);
}

/* Connected, with these answers to come from either; the connections stay. */
static void connect_both(const char *answers_a, const char *answers_b, unsigned *a, unsigned *b) {
    unsigned at[2];
    connect_to(answers_a, answers_b, true, at);
    *a = at[0];
    *b = at[1];
}

static unsigned count_in(const char *text, const char *words) {
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, words)) != NULL; at++) {
        n++;
    }
    return n;
}

/* The last answer is then handed out: it is what Redis says. */
START_TEST(what_is_told_to_come_again_for_ever) {
    unsigned a, b;
    char answers[1024] = "";
    for (int i = 0; i < ROUNDS + 4; i++) {
        snprintf(answers + strlen(answers), sizeof answers - strlen(answers), "-TRYAGAIN %d\r\n",
                 i + 1);
    }
    connect_both(answers, "", &a, &b);
    append(KEY_OF_A);
    must_answer("TRYAGAIN 16");
    ck_assert_uint_eq(count_in(canned_sent(a), GET_A), ROUNDS);
    ck_assert(cluster_is_whole(cluster) && !cluster_pending(cluster));
}
END_TEST

/* When the time is up, no round follows. */
START_TEST(no_round_follows_the_end) {
    unsigned a, b;
    connect_both("-TRYAGAIN 1\r\n-TRYAGAIN 2\r\n", "", &a, &b);
    config.timeout_ms = 0;
    append(KEY_OF_A);
    must_answer("TRYAGAIN 1");
    ck_assert_str_eq(canned_sent(a), GET_A);
}
END_TEST

/* Only what has no last word yet goes out again, and each answer stays with its command. */
START_TEST(what_is_done_is_not_sent_again) {
    unsigned a, b;
    connect_both("$1\r\n1\r\n-TRYAGAIN x\r\n$1\r\n3\r\n$1\r\n2\r\n", "$1\r\n4\r\n", &a, &b);
    append(KEY_OF_A);
    append(KEY_OF_A);
    append(KEY_OF_A);
    append(KEY_OF_B);
    must_answer("1");
    must_answer("2");
    must_answer("3");
    must_answer("4");
    ck_assert_uint_eq(count_in(canned_sent(a), GET_A), 4);
    ck_assert_uint_eq(count_in(canned_sent(b), "GET"), 1);
}
END_TEST

/* Nothing is to be read of a node that was lost in this round. */
START_TEST(a_node_that_is_lost_within_a_round) {
    unsigned a, b;
    connect_both("$1\r\n1\r\n", "$1\r\n4\r\n", &a, &b);
    shutdown(canned[a].ours, SHUT_WR);
    canned_add("a:1", "$1\r\n2\r\n$1\r\n3\r\n", true);
    append(KEY_OF_A);
    append(KEY_OF_A);
    append(KEY_OF_B);
    append(KEY_OF_A);
    ck_assert_int_eq(write(canned[b].ours, MAP, sizeof MAP - 1), sizeof MAP - 1);
    must_answer("1");
    must_answer("2");
    must_answer("4");
    must_answer("3");
    ck_assert(!cluster_is_whole(cluster));
}
END_TEST

/* Its end is noted in the round that meets it, though there is no time for another. */
START_TEST(a_connection_that_ends_in_the_last_round) {
    unsigned a, b;
    connect_both("", "", &a, &b);
    shutdown(canned[a].ours, SHUT_WR);
    config.timeout_ms = 0;
    append(KEY_OF_A);
    ck_assert_ptr_null(cluster_reply(cluster, why));
    ck_assert_str_eq(why, "a:1: Server closed the connection");
    ck_assert(!cluster_is_whole(cluster) && cluster->stale);
}
END_TEST

/* A new map does not end the rounds while something goes out. */
START_TEST(rounds_after_a_new_map) {
    unsigned a, b;
    connect_both("-CLUSTERDOWN now\r\n" MAP "-TRYAGAIN x\r\n$1\r\n1\r\n", "", &a, &b);
    append(KEY_OF_A);
    must_answer("1");
}
END_TEST

/* A slot that nobody has in a fresh map is not asked for again and again. */
START_TEST(nothing_can_be_sent) {
    static const char half[] = "*1\r\n*3\r\n:0\r\n:8191\r\n*2\r\n$1\r\na\r\n:1\r\n";
    char maps[1024] = "";
    for (int i = 0; i < ROUNDS; i++) {
        strcat(maps, half);
    }
    canned_add("a:1", half, false);
    const unsigned a = canned_add("a:1", maps, true);
    ck_assert_msg(cluster_connect(cluster, why), "%s", why);
    append(KEY_OF_B);
    ck_assert_ptr_null(cluster_reply(cluster, why));
    ck_assert_str_eq(why, "cluster a:1: no node serves slot 12182");
    ck_assert_uint_eq(count_in(canned_sent(a), "SLOTS"), 1);
}
END_TEST

/* The address of a redirection may hold colons itself; without one the map is asked. */
START_TEST(redirections_to_odd_addresses) {
    unsigned a, b;
    canned_add("::1:7", "$1\r\n1\r\n", true);
    connect_both("-MOVED 5061 ::1:7\r\n", "", &a, &b);
    append(KEY_OF_A);
    must_answer("1");
    ck_assert_str_eq(cluster->node[cluster->owner[5061]]->host.name, "::1");
    ck_assert_int_eq(cluster->node[cluster->owner[5061]]->host.port, 7);
    ck_assert_int_eq(cluster->owner[5060], cluster->owner[0]);
}
END_TEST

START_TEST(a_redirection_to_nowhere) {
    static const char *const odd[] = {"-MOVED\r\n$1\r\n1\r\n", "-MOVED 5061 b\r\n$1\r\n1\r\n",
                                      "-MOVED 5:61 b\r\n$1\r\n1\r\n", "-ASK 5061\r\n$1\r\n1\r\n"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        unsigned a, b;
        connect_both(odd[i], "", &a, &b);
        append(KEY_OF_A);
        must_answer("1"); /* it is asked again */
        ck_assert_str_eq(cluster->node[cluster->owner[5061]]->host.name, "a");
        ck_assert_int_eq(cluster->nodes, 2);
    }
}
END_TEST

/* After an ASK the command goes to its master again. */
START_TEST(an_ask_is_for_one_round) {
    unsigned a, b;
    connect_both("-ASK 5061 b:2\r\n$1\r\n1\r\n", "+OK\r\n-TRYAGAIN x\r\n", &a, &b);
    config.timeout_ms = 5000;
    append(KEY_OF_A);
    must_answer("1");
    ck_assert_str_eq(canned_sent(b), "*1  $6  ASKING  " GET_A);
}
END_TEST

/* A reason is that of this run, not of one before. */
START_TEST(what_failed_before_is_forgotten) {
    unsigned a, b;
    connect_both("", "", &a, &b);
    struct cluster_node *node = cluster->node[cluster->owner[5061]];
    wire_close(node->wire);
    node->wire = NULL;
    node->rests_until_ms = INT64_MAX;
    strcpy(cluster->why, "of before");
    append(KEY_OF_A);
    ck_assert_ptr_null(cluster_reply(cluster, why));
    ck_assert_str_eq(why, "a:1: has not answered, is tried again within a second");
}
END_TEST

/* A slot that moved asks for a new map, but not before the next queue. */
START_TEST(a_move_is_followed_by_a_new_map) {
    unsigned a, b;
    connect_both("-MOVED 5061 b:2\r\n" MAP "$1\r\n3\r\n", "$1\r\n1\r\n", &a, &b);
    append(KEY_OF_A);
    must_answer("1");
    ck_assert_str_eq(canned_sent(a), GET_A);
    append(KEY_OF_A);
    must_answer("3"); /* the map has it at a */
    ck_assert_msg(strstr(canned_sent(a), "SLOTS"), "the map was not asked for");
    ck_assert(!cluster->moved && !cluster->stale);
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){60, begin, end_cluster}), "redis_cluster_round",
                what_is_told_to_come_again_for_ever, no_round_follows_the_end,
                what_is_done_is_not_sent_again, a_node_that_is_lost_within_a_round,
                redirections_to_odd_addresses, a_connection_that_ends_in_the_last_round,
                rounds_after_a_new_map, nothing_can_be_sent, a_redirection_to_nowhere,
                an_ask_is_for_one_round, what_failed_before_is_forgotten,
                a_move_is_followed_by_a_new_map)
