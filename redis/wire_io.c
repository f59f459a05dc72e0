/* A connection's bytes: bounded waits, sending and receiving, with and without TLS. */
#include "redis/wire_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TLS_REMEDY "; does it speak TLS? (then rediss instead of redis)"
#define SLICE_MS 100 /* how soon a wait notices that another thread has shortened it */

int64_t wire_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool wire_timed_out(const struct wire *wire) {
    const redisContext *redis = wire ? wire->redis : NULL;
    /* hiredis passes on the errno of read(2) and write(2) when SO_RCVTIMEO or SO_SNDTIMEO
     * expires. */
    return redis && redis->err == REDIS_ERR_IO &&
           (strcmp(redis->errstr, strerror(EAGAIN)) == 0 ||
            strstr(redis->errstr, strerror(ETIMEDOUT)));
}

bool wire_failed(const struct wire *wire) {
    return wire->redis->err != 0;
}

/* A TLS server resets a connection that begins with anything else, or sends an alert. */
static bool seems_to_speak_tls(const struct wire *wire) {
    return !wire->heard && !wire->tls &&
           ((wire->redis->err == REDIS_ERR_IO &&
             strstr(wire->redis->errstr, strerror(ECONNRESET))) ||
            (wire->redis->err == REDIS_ERR_PROTOCOL && strstr(wire->redis->errstr, "\\x15")));
}

void wire_explain(const struct wire *wire, const char *address, char *why) {
    char reason[WIRE_WHY_MAX];
    if (wire && wire->tls && redis_tls_explain(wire->tls, wire_timed_out(wire), reason)) {
        snprintf(why, WIRE_WHY_MAX, "%.78s: %.175s", address, reason);
        return;
    }
    snprintf(why, WIRE_WHY_MAX, "%.80s: %.120s%s", address,
             !wire                  ? "out of memory"
             : wire_timed_out(wire) ? "no answer in time"
                                    : wire->redis->errstr,
             wire && seems_to_speak_tls(wire) ? TLS_REMEDY : "");
}

/* ---- waits ---- */

static int64_t find_end_of_wait(const struct wire_config *config, int64_t end_ms) {
    const int64_t until_ms = config->until_ms
                                 ? atomic_load_explicit(config->until_ms, memory_order_relaxed)
                                 : WIRE_NO_END;
    end_ms = end_ms < config->end_ms ? end_ms : config->end_ms;
    return end_ms < until_ms ? end_ms : until_ms;
}

/* Stores a failure in the connection in the way hiredis does. Returns false. */
static bool fail(struct wire *wire, int err, const char *reason) {
    wire->redis->err = err;
    snprintf(wire->redis->errstr, sizeof wire->redis->errstr, "%s", reason);
    return false;
}

/* False: end_ms came first. */
static bool wait_for(const struct wire_config *config, struct wire *wire, short events,
                     int64_t end_ms) {
    struct pollfd poll_for = {.fd = wire->redis->fd, .events = events};
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
            return fail(wire, REDIS_ERR_IO, strerror(EAGAIN));
        }
    }
}

/* After a TLS step: whether to go on with the next one, having waited for the socket. */
static bool go_on(const struct wire_config *config, struct wire *wire, enum redis_tls_step step,
                  int64_t end_ms) {
    switch (step) {
    case REDIS_TLS_DONE:
        return true;
    case REDIS_TLS_WAITS:
        return wait_for(config, wire, redis_tls_events(wire->tls), end_ms);
    case REDIS_TLS_ENDED:
        return fail(wire, REDIS_ERR_EOF, "Server closed the connection");
    case REDIS_TLS_FAILED:
        break;
    }
    return fail(wire, REDIS_ERR_OTHER, "TLS failed");
}

/* ---- sending ---- */

bool wire_append_text(struct wire *wire, const char *text, size_t len) {
    struct wire_out *out = &wire->out;
    if (!wire->tls) {
        return redisAppendFormattedCommand(wire->redis, text, len) == REDIS_OK;
    }
    if (len > out->cap - out->len) {
        const size_t cap = (out->len + len) * 2;
        char *bytes = realloc(out->bytes, cap);
        if (!bytes) {
            return fail(wire, REDIS_ERR_OOM, "out of memory");
        }
        out->bytes = bytes;
        out->cap = cap;
    }
    memcpy(out->bytes + out->len, text, len);
    out->len += len;
    return true;
}

bool wire_append(struct wire *wire, int argc, const char **argv, const size_t *lens) {
    if (!wire->tls) {
        return redisAppendCommandArgv(wire->redis, argc, argv, lens) == REDIS_OK;
    }
    char *text;
    const long long len = redisFormatCommandArgv(&text, argc, argv, lens);
    if (len < 0) {
        return fail(wire, REDIS_ERR_OOM, "out of memory");
    }
    const bool ok = wire_append_text(wire, text, (size_t)len);
    redisFreeCommand(text);
    return ok;
}

static bool write_tls(const struct wire_config *config, struct wire *wire, int64_t end_ms) {
    struct wire_out *out = &wire->out;
    for (size_t sent = 0; sent < out->len;) {
        size_t n = 0;
        if (!go_on(config, wire, redis_tls_write(wire->tls, out->bytes + sent, out->len - sent, &n),
                   end_ms)) {
            return false;
        }
        sent += n;
    }
    out->len = 0;
    return true;
}

static bool write_until(const struct wire_config *config, struct wire *wire, int64_t end_ms) {
    if (wire->tls) {
        return write_tls(config, wire, end_ms);
    }
    for (int written = 0; !written;) {
        if (!wait_for(config, wire, POLLOUT, end_ms) ||
            redisBufferWrite(wire->redis, &written) != REDIS_OK) {
            return false;
        }
    }
    return true;
}

bool wire_write(const struct wire_config *config, struct wire *wire) {
    return write_until(config, wire, wire_now_ms() + config->timeout_ms);
}

/* ---- receiving ---- */

/* Feeds what has arrived to hiredis' reader. */
static enum redis_tls_step read_tls(struct wire *wire) {
    char bytes[READ_MAX];
    size_t n = 0;
    const enum redis_tls_step step = redis_tls_read(wire->tls, bytes, sizeof bytes, &n);
    if (step == REDIS_TLS_DONE) {
        redisReaderFeed(wire->redis->reader, bytes, n); /* a failure shows with the next reply */
    }
    return step;
}

/* Reads some more bytes. */
static bool read_until(const struct wire_config *config, struct wire *wire, int64_t end_ms) {
    if (!wire->tls) {
        return wait_for(config, wire, POLLIN, end_ms) && redisBufferRead(wire->redis) == REDIS_OK;
    }
    for (;;) {
        const enum redis_tls_step step = read_tls(wire);
        if (!go_on(config, wire, step, end_ms)) {
            return false;
        }
        if (step == REDIS_TLS_DONE) {
            return true;
        }
    }
}

bool wire_next(struct wire *wire, redisReply **reply) {
    void *next = NULL;
    const bool ok = redisGetReplyFromReader(wire->redis, &next) == REDIS_OK;
    *reply = next;
    wire->heard = wire->heard || next;
    return ok;
}

redisReply *wire_reply(const struct wire_config *config, struct wire *wire) {
    const int64_t end_ms = wire_now_ms() + config->timeout_ms;
    redisReply *reply = NULL;
    bool written = false;
    while (wire_next(wire, &reply) && !reply) {
        if ((!written && !(written = write_until(config, wire, end_ms))) ||
            !read_until(config, wire, end_ms)) {
            return NULL;
        }
    }
    return reply;
}

bool wire_look(struct wire *wire) {
    if (wire->tls) {
        const enum redis_tls_step step = read_tls(wire);
        return step == REDIS_TLS_DONE || step == REDIS_TLS_WAITS;
    }
    struct pollfd poll_for = {.fd = wire->redis->fd, .events = POLLIN};
    return poll(&poll_for, 1, 0) <= 0 || redisBufferRead(wire->redis) == REDIS_OK;
}

/* ---- opening and closing ---- */

/* hiredis allocates as many elements as an array claims to have before it has seen one: a line of
 * twenty bytes could make it allocate gigabytes. Our largest reply is a cluster's map with a range
 * for each slot. */
#define ELEMENTS_MAX (1 << 16)

#if HIREDIS_MAJOR >= 1
static void bound_arrays(redisContext *redis) {
    redis->reader->maxelements = ELEMENTS_MAX;
}
#else
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* shared by all connections; set by the first one */
static redisReplyObjectFunctions bounded, unbounded;

static void *create_array(const redisReadTask *task, int elements) {
    return elements <= ELEMENTS_MAX ? unbounded.createArray(task, elements) : NULL;
}

static void bound_arrays(redisContext *redis) {
    pthread_mutex_lock(&mutex);
    if (!bounded.createArray) {
        unbounded = bounded = *redis->reader->fn;
        bounded.createArray = create_array;
    }
    pthread_mutex_unlock(&mutex);
    redis->reader->fn = &bounded;
}
#endif

/* Starts TLS on a connected socket. */
static bool begin_tls(const struct wire_config *config, struct wire *wire,
                      const struct redis_host *host, int64_t end_ms, char *reason) {
    const int fd = wire->redis->fd;
    wire->tls = redis_tls_new(&config->url->tls_options, host->name, fd, reason);
    if (!wire->tls) {
        return fail(wire, REDIS_ERR_OTHER, "TLS failed");
    }
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
        return fail(wire, REDIS_ERR_IO, strerror(errno));
    }
    for (;;) {
        const enum redis_tls_step step = redis_tls_shake_hands(wire->tls);
        if (step == REDIS_TLS_DONE || !go_on(config, wire, step, end_ms)) {
            return step == REDIS_TLS_DONE;
        }
    }
}

static redisContext *connect_socket(const struct wire_config *config, const struct redis_host *host,
                                    int64_t end_ms) {
    const int64_t left_ms = find_end_of_wait(config, end_ms) - wire_now_ms();
    const int64_t most_ms = left_ms > 0 ? left_ms : 1;
    const struct timeval timeout = {.tv_sec = most_ms / 1000, .tv_usec = most_ms % 1000 * 1000};
    redisContext *redis = host ? redisConnectWithTimeout(host->name, host->port, timeout)
                               : redisConnectUnixWithTimeout(config->url->path, timeout);
    if (redis && !redis->err && redisSetTimeout(redis, timeout) == REDIS_OK) {
        if (host) {
            redisEnableKeepAlive(redis);
        }
        bound_arrays(redis);
    }
    return redis;
}

struct wire *wire_connect(const struct wire_config *config, const struct redis_host *host,
                          const char *address, char *why) {
    const int64_t end_ms = wire_now_ms() + config->timeout_ms;
    char reason[WIRE_WHY_MAX] = "";
    struct wire *wire = calloc(1, sizeof *wire);
    if (!wire || !(wire->redis = connect_socket(config, host, end_ms))) {
        wire_explain(NULL, address, why);
    } else if (!wire->redis->err &&
               (!host || !config->url->tls || begin_tls(config, wire, host, end_ms, reason))) {
        return wire;
    } else if (*reason) {
        snprintf(why, WIRE_WHY_MAX, "%.78s: %.175s", address, reason);
    } else {
        wire_explain(wire, address, why);
    }
    wire_close(wire);
    return NULL;
}

void wire_close(struct wire *wire) {
    if (wire) {
        redis_tls_free(wire->tls);
        if (wire->redis) {
            redisFree(wire->redis);
        }
        free(wire->out.bytes);
        free(wire);
    }
}
