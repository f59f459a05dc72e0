/* A link to one server, to the master that Sentinel names and to a cluster, by what they answer:
 * when it is connected, what is awaited, what ends it. */
#include "redis/link.h"

#include "redis/schema.h"
#include "tests/unit/redis/canned_redis.h"

static char why[LINK_WHY_MAX];
static struct link *opened;

#define LONG_MS 1000000 /* a wait that no test outlives */

static void open_link(const char *text, long timeout_ms) {
    struct redis_url url;
    ck_assert_msg(redis_url_parse(text, &url, why), "%s", why);
    opened = link_new(&url, timeout_ms);
    ck_assert_ptr_nonnull(opened);
    ck_assert(!link_connected(opened) && !link_pending(opened));
}

static void end(void) {
    link_free(opened);
    canned_end();
}

static bool append(const char *key) {
    const char *argv[] = {"GET", key};
    const size_t lens[] = {3, strlen(key)};
    why[0] = '\0';
    return link_append(opened, &(struct redis_command){2, argv, lens, 1}, why);
}

static void must_answer(const char *text) {
    redisReply *reply = link_reply(opened, why);
    ck_assert_msg(reply != NULL, "%s", why);
    ck_assert_str_eq(reply->str, text);
    freeReplyObject(reply);
}

static void must_not_answer(const char *sentence) {
    ck_assert_ptr_null(link_reply(opened, why));
    ck_assert_str_eq(why, sentence);
}

START_TEST(a_pipeline_of_one_server) {
    canned_add("a:1", "$1\r\n7\r\n-ERR odd\r\n", true);
    open_link("redis://a:1/0", 2000);
    ck_assert_str_eq(link_address(opened), "a:1");
    ck_assert_uint_eq(link_groups(opened), 1);
    ck_assert_msg(link_connect(opened, why), "%s", why);
    ck_assert(link_connected(opened) && !link_pending(opened));
    ck_assert_uint_eq(link_server(opened, "foo", 3), 0);
    ck_assert(append("one") && append("two"));
    ck_assert(link_pending(opened));
    must_answer("7");
    ck_assert(link_pending(opened));
    must_answer("ERR odd");
    ck_assert(!link_pending(opened) && link_connected(opened));
}
END_TEST

START_TEST(what_is_not_connected_says_so) {
    open_link("redis://a:1", 2000);
    ck_assert(!append("one"));
    ck_assert_str_eq(why, "a:1: not connected");
    must_not_answer("a:1: not connected");
    ck_assert(!link_connect(opened, why)); /* nobody is there */
    ck_assert_msg(strstr(why, "a:1: "), "%s", why);
    ck_assert(!link_connected(opened));
}
END_TEST

/* What was queued is forgotten with the connection, and the next one begins anew. */
START_TEST(a_connection_that_ends) {
    canned_add("a:1", "$1\r\n7\r\n", false);
    open_link("redis://a:1", 2000);
    ck_assert_msg(link_connect(opened, why), "%s", why);
    ck_assert(append("one") && append("two") && append("three"));
    must_answer("7");
    must_not_answer("a:1: Server closed the connection");
    ck_assert(!link_connected(opened) && !link_pending(opened));
    canned_add("a:1", "$1\r\n8\r\n", true);
    ck_assert_msg(link_connect(opened, why), "%s", why);
    ck_assert(append("one"));
    must_answer("8");
    ck_assert(!link_pending(opened));
}
END_TEST

/* To connect again ends the connection before, with what was awaited of it. */
START_TEST(connecting_again_begins_anew) {
    const unsigned first = canned_add("a:1", "", true);
    canned_add("a:1", "$1\r\n8\r\n", true);
    open_link("redis://a:1", 2000);
    ck_assert_msg(link_connect(opened, why), "%s", why);
    ck_assert(append("one"));
    ck_assert_msg(link_connect(opened, why), "%s", why);
    ck_assert(!link_pending(opened) && link_connected(opened));
    char byte;
    ck_assert_int_eq(recv(canned[first].ours, &byte, 1, 0), 0);
    ck_assert(append("one"));
    must_answer("8");
    link_close(opened);
    ck_assert(!link_connected(opened));
}
END_TEST

static bool refuse(const struct wire_peer *peer, char *sentence) {
    snprintf(sentence, WIRE_WHY_MAX, "%s will not do", peer->address);
    return false;
}

START_TEST(a_server_is_checked) {
    canned_add("a:1", "", true);
    open_link("redis://a:1", 2000);
    link_set_check(opened, refuse, NULL);
    ck_assert(!link_connect(opened, why));
    ck_assert_str_eq(why, "a:1 will not do");
    ck_assert(!link_connected(opened));
}
END_TEST

/* A wait ends at the earliest of the time-out, the end, and what another thread has set. */
START_TEST(no_wait_goes_past_its_end) {
    const int64_t over_ms = wire_now_ms() - 1;
    static _Atomic int64_t until_ms = INT64_MAX;
    for (int i = 0; i < 3; i++) {
        canned_add("a:1", "", true);
        open_link("redis://a:1", i == 2 ? 1 : LONG_MS);
        link_set_until(opened, &until_ms);
        ck_assert_msg(link_connect(opened, why), "%s", why);
        link_set_end(opened, i == 0 ? over_ms : INT64_MAX);
        until_ms = i == 1 ? over_ms : INT64_MAX;
        ck_assert(append("one"));
        must_not_answer("a:1: no answer in time");
        ck_assert(!link_connected(opened));
        link_free(opened);
        opened = NULL;
    }
}
END_TEST

#define SENTINEL_SAYS "*2\r\n$1\r\na\r\n$1\r\n1\r\n"
#define SUBSCRIBED "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n"
#define SWITCHED "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$14\r\nours a 1 b 200\r\n"
#define A_MASTER "*1\r\n$6\r\nmaster\r\n"

/* Nothing goes to a master that is none any more; what is under way is fetched first. */
START_TEST(a_failover_ends_the_link) {
    const unsigned s = canned_add("s:9", SENTINEL_SAYS SUBSCRIBED, true);
    canned_add("a:1", A_MASTER "$1\r\n7\r\n$1\r\n8\r\n$1\r\n9\r\n", true);
    open_link("redis+sentinel://s:9/ours", 2000);
    ck_assert_uint_eq(link_groups(opened), 1);
    ck_assert_msg(link_connect(opened, why), "%s", why);
    ck_assert(append("one"));
    must_answer("7");
    ck_assert(append("one"));
    ck_assert_int_eq(write(canned[s].ours, SWITCHED, sizeof SWITCHED - 1), sizeof SWITCHED - 1);
    ck_assert(append("two")); /* a pipeline is not cut */
    must_answer("8");
    must_answer("9");
    ck_assert(link_connected(opened));
    ck_assert(!append("three"));
    ck_assert_msg(strstr(why, ": another server is the master now"), "%s", why);
    ck_assert(!link_connected(opened));
}
END_TEST

START_TEST(a_cluster_behind_the_same_calls) {
    static const char map[] = "*2\r\n*3\r\n:0\r\n:8191\r\n*2\r\n$1\r\na\r\n:1\r\n"
                              "*3\r\n:8192\r\n:16383\r\n*2\r\n$1\r\nb\r\n:2\r\n";
    canned_add("a:1", map, false);
    canned_add("a:1", "$1\r\n7\r\n", false);
    canned_add("b:2", "$1\r\n8\r\n", false);
    open_link("redis+cluster://a:1", 500);
    ck_assert_uint_eq(link_groups(opened), SCHEMA_GROUPS_MAX);
    ck_assert_msg(link_connect(opened, why), "%s", why);
    ck_assert(link_connected(opened));
    ck_assert_uint_eq(link_server(opened, "bar", 3), 0); /* in the order of the map */
    ck_assert_uint_eq(link_server(opened, "foo", 3), 1);
    ck_assert(append("foo") && append("bar"));
    ck_assert(link_pending(opened));
    must_answer("8");
    must_answer("7");
    ck_assert(!link_pending(opened));
    link_close(opened);
    ck_assert(!link_connected(opened));
    ck_assert(!append("foo"));
}
END_TEST

START_TEST(nothing_is_freed) {
    link_free(NULL);
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){60, canned_begin, end}), "redis_link",
                a_pipeline_of_one_server, what_is_not_connected_says_so, a_connection_that_ends,
                connecting_again_begins_anew, a_server_is_checked, no_wait_goes_past_its_end,
                a_failover_ends_the_link, a_cluster_behind_the_same_calls, nothing_is_freed)
