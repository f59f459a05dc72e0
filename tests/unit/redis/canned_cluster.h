/* A cluster of two masters, a and b, over canned_redis.h: its map, and commands of one key. */
#ifndef AFORO_TESTS_UNIT_CANNED_CLUSTER_H
#define AFORO_TESTS_UNIT_CANNED_CLUSTER_H

#include "redis/cluster.h"

#include "tests/unit/redis/canned_redis.h"

/* a has the lower half, b the upper one */
#define RANGE_A "*3\r\n:0\r\n:8191\r\n*2\r\n$1\r\na\r\n:1\r\n"
#define RANGE_B "*3\r\n:8192\r\n:16383\r\n*2\r\n$1\r\nb\r\n:2\r\n"
#define MAP "*2\r\n" RANGE_A RANGE_B
#define KEY_OF_A "bar" /* slot 5061 */
#define KEY_OF_B "foo" /* slot 12182 */

static struct redis_url url;
static struct wire_config config;
static char why[WIRE_WHY_MAX];
static struct cluster *cluster;

static inline void begin_cluster(const char *nodes, int64_t timeout_ms) {
    canned_begin();
    ck_assert_msg(redis_url_parse(nodes, &url, why), "%s", why);
    config = (struct wire_config){.url = &url, .timeout_ms = timeout_ms, .end_ms = WIRE_NO_END};
    cluster = cluster_new(&config);
    ck_assert_ptr_nonnull(cluster);
}

static inline void end_cluster(void) {
    cluster_free(cluster);
    canned_end();
}

/* Connected, with these answers to come from either, which then ends, unless it `stays`. */
static inline void connect_to(const char *answers_a, const char *answers_b, bool stays,
                              unsigned at[2]) {
    canned_add("a:1", MAP, false); /* whom the map is asked of */
    at[0] = canned_add("a:1", answers_a, stays);
    at[1] = canned_add("b:2", answers_b, stays);
    ck_assert_msg(cluster_connect(cluster, why), "%s", why);
}

static inline void append(const char *key) {
    const char *argv[] = {"GET", key};
    const size_t lens[] = {3, strlen(key)};
    ck_assert_msg(cluster_append(cluster, &(struct redis_command){2, argv, lens, 1}, why), "%s",
                  why);
}

static inline void must_answer(const char *text) {
    redisReply *reply = cluster_reply(cluster, why);
    ck_assert_msg(reply != NULL, "%s", why);
    ck_assert_str_eq(reply->str, text);
    freeReplyObject(reply);
}

#endif
