/* Any bytes as the answers of Redis, its Sentinels and its Clusters, to the store as the server
 * uses it and to the reader of the console. hiredis is the real one; connections end in a socket
 * whose other end has written the answers already. The input: which kind, then what each new
 * connection answers, up to a 0xff. */
#include "redis/reader.h"
#include "server/flush/store_redis.h"
#include "tests/fuzz/check.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PEERS_MAX 64
#define CHUNK INT64_C(1464433871)

static const uint8_t *answers, *answers_end;
static int peer[PEERS_MAX];
static int peers;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);

/* ---- in place of the network ---- */

/* In place of nanosleep: see CMakeLists.txt. */
int __wrap_nanosleep(const struct timespec *time, struct timespec *left) {
    (void)time;
    (void)left;
    return 0;
}

static redisContext *answering(void) {
    int ends[2];
    if (peers == PEERS_MAX || answers == answers_end) {
        return NULL; /* nobody answers any more */
    }
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const uint8_t *end = memchr(answers, 0xff, (size_t)(answers_end - answers));
    end = end ? end : answers_end;
    check(send(ends[1], answers, (size_t)(end - answers), MSG_NOSIGNAL | MSG_DONTWAIT) ==
          end - answers);
    check(shutdown(ends[1], SHUT_WR) == 0);
    answers = end == answers_end ? end : end + 1;
    peer[peers++] = ends[1];
    return redisConnectFd(ends[0]);
}

redisContext *redisConnectWithTimeout(const char *ip, int port, const struct timeval tv) {
    (void)tv;
    check(strnlen(ip, REDIS_URL_PART_MAX) < REDIS_URL_PART_MAX);
    (void)port;
    return answering();
}

redisContext *redisConnectUnixWithTimeout(const char *path, const struct timeval tv) {
    (void)path;
    (void)tv;
    return answering();
}

int redisEnableKeepAlive(redisContext *c) {
    (void)c;
    return REDIS_OK; /* not for this kind of socket */
}

/* ---- what is done with the answers ---- */

static void note_part(void *cls, const struct store_part *part) {
    const int64_t *chunk = cls;
    uint64_t sum = 0;
    for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) {
        check(slot < resolution_table[part->place.resolution].slots || part->count[slot] == 0);
        sum += part->count[slot];
    }
    check(sum == part->sum && part->place.chunk >= *chunk && part->place.chunk < *chunk + 2);
}

static void check_why(const char *why) {
    check(*why && strnlen(why, STORE_WHY_MAX) < STORE_WHY_MAX);
}

static void use_parts(struct store *store, char *why) {
    int64_t chunk = CHUNK;
    const uint8_t slot[3] = {0, 7, 59};
    const uint64_t count[3] = {1, 4711, UINT64_C(1) << 52};
    struct store_chunk chunks[3];
    struct store_place places[3];
    struct store_ack ack[3];
    uint64_t sums[3];
    for (int i = 0; i < 3; i++) {
        places[i] = (struct store_place){RESOLUTION_1S, chunk / 60 + i};
        chunks[i] = (struct store_chunk){.place = places[i], .n = 3};
        memcpy(chunks[i].slot, slot, sizeof slot);
        memcpy(chunks[i].count, count, sizeof count);
    }
    *why = '\0';
    if (!store->ops->read_back(store, (struct chunk_range){RESOLUTION_10MS, chunk, 2},
                               &(struct store_taker){note_part, &chunk}, why)) {
        check_why(why);
    }
    *why = '\0';
    const bool sent = store->ops->send(store, chunks, 3, ack, why);
    for (int i = 0; i < 3; i++) {
        check(ack[i].outcome != STORE_FAILED || !sent);
        check(ack[i].outcome == STORE_STORED || ack[i].had == 0);
    }
    *why = '\0';
    if (!store->ops->sums(store, &(struct store_sums){places, 3, sums, NULL}, why)) {
        check_why(why);
    }
    check(store->ops->server(store, places) < 1000);
}

static void use_notes(struct store *store, char *why) {
    char holder[STORE_HOLDER_MAX] = "";
    uint64_t number = 7;
    int64_t ahead_us = 0;
    *why = '\0';
    const struct store_claim claim = {.owner = "boot:1:2", .dead = ""};
    const enum store_lease lease = store->ops->lease(store, &claim, holder, why);
    check(strnlen(holder, STORE_HOLDER_MAX) < STORE_HOLDER_MAX);
    if (lease == STORE_LEASE_FAILED) {
        check_why(why);
    }
    for (int tell = 0; tell < 2; tell++) {
        *why = '\0';
        if (tell ? !store->ops->tell_loss(store, &number, why)
                 : !store->ops->sums(store, &(struct store_sums){NULL, 0, NULL, &number}, why)) {
            check_why(why);
        }
    }
    *why = '\0';
    if (!store->ops->close_old(store, CHUNK * US_PER_S, &ahead_us, why)) {
        check_why(why);
    }
    store->ops->release(store, "boot:1:2");
}

static void use_store(const char *url) {
    char why[STORE_WHY_MAX] = "";
    const struct store_redis_config config = {.url = url,
                                              .node_id = "n",
                                              .owner = "boot:1:2",
                                              .ttl_s = {7200, 604800, 34560000},
                                              .horizon_s = 3600,
                                              .timeout_ms = 50};
    struct store *store = store_redis_new(&config, why);
    check(store);
    if (!store->ops->connect(store, why)) {
        check_why(why);
    } else {
        use_parts(store, why);
        use_notes(store, why);
        (void)store->ops->connected(store);
    }
    store->ops->close(store);
}

static void use_reader(const char *text) {
    static uint64_t counts[3 * SLOTS_MAX];
    struct redis_url url;
    char why[LINK_WHY_MAX] = "";
    bool exists[3];
    check(redis_url_parse(text, &url, why));
    struct link *link = link_new(&url, 50);
    check(link);
    if (!link_connect(link, why) ||
        !reader_find_totals(link, (struct chunk_range){RESOLUTION_1S, CHUNK / 60, 3}, exists,
                            why) ||
        !reader_read_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, 3}, counts, why)) {
        check_why(why);
    }
    link_free(link);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const url[] = {"redis://127.0.0.1", "redis://u:p@127.0.0.1:1/2",
                                      "redis+sentinel://:p@a,b/master", "redis+cluster://a:1,b:2"};
    if (size < 1 || size > 60000) {
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    answers = data + 1;
    answers_end = data + size;
    (data[0] & 4 ? use_reader : use_store)(url[data[0] & 3]);
    while (peers > 0) {
        close(peer[--peers]);
    }
    return 0;
}
