#include "redis/wire.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ARGUMENTS_MAX 8

int64_t wire_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool wire_is_error(const redisReply *reply, const char *word) {
    const size_t len = strlen(word);
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, word, len) == 0 &&
           (reply->str[len] == ' ' || reply->str[len] == '\0');
}

bool wire_timed_out(const redisContext *wire) {
    /* hiredis passes on what read(2) and write(2) say when SO_RCVTIMEO or SO_SNDTIMEO is over. */
    return wire && wire->err == REDIS_ERR_IO &&
           (strcmp(wire->errstr, strerror(EAGAIN)) == 0 ||
            strstr(wire->errstr, strerror(ETIMEDOUT)));
}

void wire_explain(const redisContext *wire, const char *address, char *why) {
    const char *reason = !wire                  ? "out of memory"
                         : wire_timed_out(wire) ? "no answer in time"
                                                : wire->errstr;
    snprintf(why, WIRE_WHY_MAX, "%.120s: %.120s", address, reason);
}

#define SLICE_MS 100 /* how soon a wait hears that another thread has shortened it */

static int64_t find_end_of_wait(const struct wire_config *config, int64_t end_ms) {
    const int64_t until_ms = config->until_ms
                                 ? atomic_load_explicit(config->until_ms, memory_order_relaxed)
                                 : WIRE_NO_END;
    end_ms = end_ms < config->end_ms ? end_ms : config->end_ms;
    return end_ms < until_ms ? end_ms : until_ms;
}

/* False: end_ms came first, which is noted in the connection as hiredis notes its own time-outs. */
static bool wait_for(const struct wire_config *config, redisContext *wire, short events,
                     int64_t end_ms) {
    struct pollfd poll_for = {.fd = wire->fd, .events = events};
    for (;;) {
        const int64_t left_ms = find_end_of_wait(config, end_ms) - wire_now_ms();
        const int ready = poll(&poll_for, 1,
                               left_ms <= 0         ? 0
                               : left_ms < SLICE_MS ? (int)left_ms
                                                    : SLICE_MS);
        if (ready > 0) {
            return true;
        }
        if (left_ms <= 0 || (ready < 0 && errno != EINTR)) {
            wire->err = REDIS_ERR_IO;
            snprintf(wire->errstr, sizeof wire->errstr, "%s", strerror(EAGAIN));
            return false;
        }
    }
}

static bool write_until(const struct wire_config *config, redisContext *wire, int64_t end_ms) {
    for (int written = 0; !written;) {
        if (!wait_for(config, wire, POLLOUT, end_ms) ||
            redisBufferWrite(wire, &written) != REDIS_OK) {
            return false;
        }
    }
    return true;
}

bool wire_write(const struct wire_config *config, redisContext *wire) {
    return write_until(config, wire, wire_now_ms() + config->timeout_ms);
}

redisReply *wire_reply(const struct wire_config *config, redisContext *wire) {
    const int64_t end_ms = wire_now_ms() + config->timeout_ms;
    void *reply = NULL;
    bool written = false;
    while (redisGetReplyFromReader(wire, &reply) == REDIS_OK && !reply) {
        if (!written && !(written = write_until(config, wire, end_ms))) {
            return NULL;
        }
        if (!wait_for(config, wire, POLLIN, end_ms) || redisBufferRead(wire) != REDIS_OK) {
            return NULL;
        }
    }
    return reply;
}

redisReply *wire_call(const struct wire_peer *peer, int argc, const char **argv, char *why) {
    size_t lens[ARGUMENTS_MAX];
    assert(argc <= ARGUMENTS_MAX);
    for (int i = 0; i < argc; i++) {
        lens[i] = strlen(argv[i]);
    }
    redisReply *reply = redisAppendCommandArgv(peer->wire, argc, argv, lens) == REDIS_OK
                            ? wire_reply(peer->config, peer->wire)
                            : NULL;
    if (!reply) {
        wire_explain(peer->wire, peer->address, why);
    }
    return reply;
}

/* A command whose answer must be no error. *refused: it was one. */
static bool call_and_demand(const struct wire_peer *peer, int argc, const char **argv,
                            bool *refused, char *why) {
    redisReply *reply = wire_call(peer, argc, argv, why);
    if (!reply) {
        return false;
    }
    *refused = reply->type == REDIS_REPLY_ERROR;
    if (*refused) {
        snprintf(why, WIRE_WHY_MAX, "%.80s: %.10s: %.150s", peer->address, argv[0], reply->str);
    }
    freeReplyObject(reply);
    return !*refused;
}

static bool log_in(const struct wire_peer *peer, bool *refused, char *why) {
    const struct redis_url *url = peer->config->url;
    if (!*url->password) {
        return true;
    }
    const char *auth[] = {"AUTH", *url->user ? url->user : url->password, url->password};
    return call_and_demand(peer, *url->user ? 3 : 2, auth, refused, why);
}

bool wire_login(const struct wire_peer *peer, char *why) {
    bool refused;
    return log_in(peer, &refused, why);
}

static bool select_database(const struct wire_peer *peer, bool *refused, char *why) {
    char db[16];
    if (!peer->config->url->db) {
        return true;
    }
    snprintf(db, sizeof db, "%d", peer->config->url->db);
    const char *select[] = {"SELECT", db};
    return call_and_demand(peer, 2, select, refused, why);
}

static bool check_peer(const struct wire_peer *peer, bool *refused, char *why) {
    if (!peer->config->check || peer->config->check(peer, why)) {
        return true;
    }
    *refused = !peer->wire->err;
    return false;
}

/* hiredis makes room for as many elements as an array says it has, before it has seen one: a line
 * of twenty bytes could ask for gigabytes. The largest answer that we ask for is a cluster's map
 * with a range for each slot. */
#define ELEMENTS_MAX (1 << 16)

#if HIREDIS_MAJOR >= 1
static void bound_arrays(redisContext *wire) {
    wire->reader->maxelements = ELEMENTS_MAX;
}
#else
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* the same for all connections: filled by the first one */
static redisReplyObjectFunctions bounded, unbounded;

static void *create_array(const redisReadTask *task, int elements) {
    return elements <= ELEMENTS_MAX ? unbounded.createArray(task, elements) : NULL;
}

static void bound_arrays(redisContext *wire) {
    pthread_mutex_lock(&mutex);
    if (!bounded.createArray) {
        unbounded = bounded = *wire->reader->fn;
        bounded.createArray = create_array;
    }
    pthread_mutex_unlock(&mutex);
    wire->reader->fn = &bounded;
}
#endif

static redisContext *connect_host(const struct wire_config *config, const struct redis_host *host,
                                  const char *address, char *why) {
    const int64_t now_ms = wire_now_ms(),
                  left_ms = find_end_of_wait(config, now_ms + config->timeout_ms) - now_ms;
    const int64_t most_ms = left_ms > 0 ? left_ms : 1;
    const struct timeval timeout = {.tv_sec = most_ms / 1000, .tv_usec = most_ms % 1000 * 1000};
    redisContext *wire = host ? redisConnectWithTimeout(host->name, host->port, timeout)
                              : redisConnectUnixWithTimeout(config->url->path, timeout);
    if (!wire || wire->err || redisSetTimeout(wire, timeout) != REDIS_OK) {
        wire_explain(wire, address, why);
        if (wire) {
            redisFree(wire);
        }
        return NULL;
    }
    if (host) {
        redisEnableKeepAlive(wire);
    }
    bound_arrays(wire);
    return wire;
}

redisContext *wire_open_bare(const struct wire_config *config, const struct redis_host *host,
                             char *why) {
    char address[REDIS_ADDRESS_MAX];
    redis_host_render(host, address);
    return connect_host(config, host, address, why);
}

redisContext *wire_open(const struct wire_config *config, const struct redis_host *host,
                        bool *refused, char *why) {
    char address[sizeof config->url->address];
    bool no = false;
    if (host) {
        redis_host_render(host, address);
    } else {
        snprintf(address, sizeof address, "%s", config->url->path);
    }
    redisContext *wire = connect_host(config, host, address, why);
    const struct wire_peer peer = {config, wire, address};
    if (wire && (!log_in(&peer, &no, why) || !select_database(&peer, &no, why) ||
                 !check_peer(&peer, &no, why))) {
        redisFree(wire);
        wire = NULL;
    }
    if (refused) {
        *refused = no;
    }
    return wire;
}
