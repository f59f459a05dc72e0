/* A cluster of two masters, a and b, by what they answer: the map, commands that are redirected or
 * told to come again, and connections that end. Of cluster.c, cluster_map.c and cluster_round.c. */
#include "tests/unit/redis/canned_cluster.h"

static void begin(void) {
    begin_cluster("redis+cluster://a:1", 500);
}

/* Connected, with these answers to come from either. */
static void connect_both(const char *answers_a, const char *answers_b, unsigned *a, unsigned *b) {
    unsigned at[2];
    connect_to(answers_a, answers_b, false, at);
    ck_assert(cluster_is_whole(cluster));
    *a = at[0];
    *b = at[1];
}

START_TEST(each_command_goes_to_its_master_and_answers_keep_their_order) {
    unsigned a, b;
    connect_both("$2\r\na1\r\n$2\r\na2\r\n", "$2\r\nb1\r\n", &a, &b);
    ck_assert_uint_ne(cluster_server(cluster, KEY_OF_A, 3), cluster_server(cluster, KEY_OF_B, 3));
    append(KEY_OF_A);
    append(KEY_OF_B);
    append(KEY_OF_A);
    ck_assert(cluster_pending(cluster));
    must_answer("a1");
    must_answer("b1");
    must_answer("a2");
    ck_assert(!cluster_pending(cluster) && cluster_is_whole(cluster));
    ck_assert_str_eq(canned_sent(b), "*2  $3  GET  $3  foo  ");
    ck_assert_str_eq(canned_sent(a), "*2  $3  GET  $3  bar  *2  $3  GET  $3  bar  ");
}
END_TEST

/* MOVED is for good, ASK for this once. */
START_TEST(a_redirected_command_is_sent_where_it_is_told) {
    unsigned a, b;
    connect_both("-MOVED 5061 b:2\r\n", "$1\r\n7\r\n" MAP "$1\r\n8\r\n", &a, &b);
    append(KEY_OF_A);
    must_answer("7");
    ck_assert_uint_eq(cluster_server(cluster, KEY_OF_A, 3), cluster_server(cluster, KEY_OF_B, 3));
    ck_assert(cluster_is_whole(cluster));
}
END_TEST

START_TEST(an_asked_command_is_announced) {
    unsigned a, b;
    connect_both("-ASK 5061 b:2\r\n", "+OK\r\n$1\r\n7\r\n", &a, &b);
    append(KEY_OF_A);
    must_answer("7");
    ck_assert_uint_ne(cluster_server(cluster, KEY_OF_A, 3), cluster_server(cluster, KEY_OF_B, 3));
    ck_assert_str_eq(canned_sent(b), "*1  $6  ASKING  *2  $3  GET  $3  bar  ");
}
END_TEST

/* Without a host the redirection means the one that answered. */
START_TEST(a_redirection_without_a_host) {
    unsigned a, b;
    canned_add("a:3", "$1\r\n7\r\n", false);
    connect_both("-MOVED 5061 :3\r\n", "", &a, &b);
    append(KEY_OF_A);
    must_answer("7");
    ck_assert(!cluster_is_whole(cluster)); /* a master that was not there when we connected */
}
END_TEST

START_TEST(a_command_that_is_told_to_come_again_does) {
    unsigned a, b;
    connect_both("-TRYAGAIN moving\r\n$1\r\n7\r\n-CLUSTERDOWN now\r\n" MAP "$1\r\n8\r\n", "", &a,
                 &b);
    append(KEY_OF_A);
    must_answer("7");
    append(KEY_OF_A);
    must_answer("8");
}
END_TEST

/* Any other error is an answer. */
START_TEST(an_error_is_the_last_word) {
    unsigned a, b;
    connect_both("-NOSCRIPT none\r\n$1\r\n7\r\n", "", &a, &b);
    append(KEY_OF_A);
    must_answer("NOSCRIPT none");
    append(KEY_OF_A);
    must_answer("7");
}
END_TEST

/* The other master goes on, and tells of the new one. */
START_TEST(a_master_that_went_away_is_followed_by_another) {
    unsigned a, b;
    canned_add("c:3", "$1\r\n9\r\n", false);
    connect_both("",
                 "$1\r\n8\r\n*2\r\n*3\r\n:0\r\n:8191\r\n*2\r\n$1\r\nc\r\n:3\r\n"
                 "*3\r\n:8192\r\n:16383\r\n*2\r\n$1\r\nb\r\n:2\r\n",
                 &a, &b);
    append(KEY_OF_A);
    append(KEY_OF_B);
    must_answer("9");
    must_answer("8");
    ck_assert(!cluster_is_whole(cluster));
}
END_TEST

START_TEST(a_master_that_is_gone_leaves_the_others_answers) {
    unsigned a, b;
    connect_both("", "$1\r\n8\r\n" MAP MAP MAP, &a, &b);
    append(KEY_OF_A);
    append(KEY_OF_B);
    ck_assert_ptr_null(cluster_reply(cluster, why));
    ck_assert_msg(*why, "no sentence");
    must_answer("8");
    ck_assert(!cluster_pending(cluster) && !cluster_is_whole(cluster));
}
END_TEST

START_TEST(maps_that_will_not_do) {
    static const struct {
        const char *map, *words;
    } cases[] = {
        {"-NOAUTH Authentication required.\r\n", "AFORO_REDIS_PASSWORD"},
        {"-ERR This instance has cluster support disabled\r\n", "cluster support disabled"},
        {"*0\r\n", "no node has any slot"},
        {"*1\r\n:1\r\n", "do not understand"},
        {"*1\r\n*2\r\n:0\r\n:1\r\n", "do not understand"},
        {"*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n", "do not understand"},
        {"*1\r\n*3\r\n:-1\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n", "do not understand"},
        {"*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n", "do not understand"},
        {"*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n$1\r\na\r\n", "do not understand"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        canned_add("a:1", cases[i].map, false);
        ck_assert(!cluster_connect(cluster, why));
        ck_assert_msg(strstr(why, "a:1: ") && strstr(why, cases[i].words), "%s: %s", cases[i].words,
                      why);
        ck_assert(!cluster_is_whole(cluster));
    }
}
END_TEST

/* A slot that nobody has is said by its number; what is not connected is said at once. */
START_TEST(commands_that_cannot_go_anywhere) {
    static const char half[] = "*1\r\n*3\r\n:0\r\n:8191\r\n*2\r\n$0\r\n\r\n:1\r\n";
    const char *argv[] = {"GET", KEY_OF_B};
    const size_t lens[] = {3, 3};
    ck_assert(!cluster_append(cluster, &(struct redis_command){2, argv, lens, 1}, why));
    ck_assert_msg(strstr(why, "not connected"), "%s", why);
    canned_add("a:1", half, false);
    canned_add("a:1", half, false); /* an empty name: the one that was asked */
    ck_assert_msg(cluster_connect(cluster, why), "%s", why);
    append(KEY_OF_B);
    ck_assert_ptr_null(cluster_reply(cluster, why));
    ck_assert_msg(strstr(why, "no node serves slot 12182"), "%s", why);
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){60, begin, end_cluster}), "redis_rounds",
                each_command_goes_to_its_master_and_answers_keep_their_order,
                a_redirected_command_is_sent_where_it_is_told, an_asked_command_is_announced,
                a_redirection_without_a_host, a_command_that_is_told_to_come_again_does,
                an_error_is_the_last_word, a_master_that_went_away_is_followed_by_another,
                a_master_that_is_gone_leaves_the_others_answers, maps_that_will_not_do,
                commands_that_cannot_go_anywhere)
