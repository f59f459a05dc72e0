/* Rows from Redis: the totals that all nodes together have reported. */
#define _GNU_SOURCE /* memrchr */
#include "counters/civil.h"
#include "tools/source.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PORT_DEFAULT 6379
#define PART_MAX 256 /* bytes of each part of a URL */
#define KEY_MAX 64
#define US_PER_HOUR (INT64_C(3600) * US_PER_S)
#define US_PER_DAY (24 * US_PER_HOUR)
#define FUTURE_MAX_US US_PER_HOUR /* no node accepts events further ahead */
#define HORIZON_MAX_US US_PER_DAY /* nor older ones: a key lives so much longer than its time to live */
#define CHUNKS_MAX 1000000        /* how far back --from may make us look */
/* A flush interval and what the flush takes. */
#define SETTLE_US (250 * US_PER_MS)

/* The default times to live of the totals. Where they are longer, --from reaches what is older. */
static const int64_t kept_us[RESOLUTIONS] = {[RESOLUTION_10MS] = 2 * US_PER_HOUR,
                                             [RESOLUTION_1S] = 7 * US_PER_DAY,
                                             [RESOLUTION_1MIN] = 400 * US_PER_DAY};

struct source_redis {
    struct source base;
    redisContext *redis; /* NULL: not connected */
    struct timeval timeout;
    char host[PART_MAX], user[PART_MAX], password[PART_MAX];
    int port, db;
    char *why; /* where the query under way wants its sentence */
};

/* Names the server without its password. */
static bool fail(struct source_redis *source, const char *what, char *why) {
    snprintf(why, SOURCE_WHY_MAX, "redis %.200s:%d: %.250s", source->host, source->port, what);
    why[strcspn(why, "\r\n")] = '\0';
    redisFree(source->redis);
    source->redis = NULL;
    return false;
}

/* Sends one command and wants anything but an error back. */
static bool command(struct source_redis *source, int argc, const char **argv, char *why) {
    redisReply *reply = redisCommandArgv(source->redis, argc, argv, NULL);
    if (reply == NULL)
        return fail(source, source->redis->errstr, why);
    char error[PART_MAX] = "";
    if (reply->type == REDIS_REPLY_ERROR)
        snprintf(error, sizeof error, "%s", reply->str);
    freeReplyObject(reply);
    return error[0] == '\0' || fail(source, error, why);
}

static bool connect_redis(struct source_redis *source, char *why) {
    source->redis = redisConnectWithTimeout(source->host, source->port, source->timeout);
    if (source->redis == NULL || source->redis->err != 0)
        return fail(source, source->redis == NULL ? "out of memory" : source->redis->errstr, why);
    redisSetTimeout(source->redis, source->timeout);
    if (source->password[0] != '\0') {
        const char *words[] = {"AUTH", source->user, source->password};
        const bool named = source->user[0] != '\0';
        if (!named)
            words[1] = source->password;
        if (!command(source, named ? 3 : 2, words, why))
            return false;
    }
    if (source->db == 0)
        return true;
    char number[16];
    snprintf(number, sizeof number, "%d", source->db);
    const char *words[] = {"SELECT", number};
    return command(source, 2, words, why);
}

static bool ready(struct source *base, char why[SOURCE_WHY_MAX]) {
    struct source_redis *source = (struct source_redis *)base;
    const char *words[] = {"PING"};
    return (source->redis != NULL || connect_redis(source, why)) && command(source, 1, words, why);
}

/* aforo:{10ms:2026-11-20T11:11:11}, aforo:{1s:2026-11-20T11:11}, aforo:{1min:2026-11-20T11} */
static void key_of_chunk(enum resolution r, int64_t chunk, char key[KEY_MAX]) {
    struct civil c;
    civil_from_us(chunk_start_us(r, chunk), &c);
    int used = snprintf(key, KEY_MAX, "aforo:{%s:%04d-%02d-%02dT%02d", resolution_table[r].name, c.year,
                        c.month, c.day, c.hour);
    if (r != RESOLUTION_1MIN)
        used += snprintf(key + used, KEY_MAX - (size_t)used, ":%02d", c.minute);
    if (r == RESOLUTION_10MS)
        used += snprintf(key + used, KEY_MAX - (size_t)used, ":%02d", c.second);
    snprintf(key + used, KEY_MAX - (size_t)used, "}");
}

/* A chunk's hash, "07" -> "122", into those of windows [first, first + n) that it holds. False: it is no such
 * hash. */
static bool take_chunk(const redisReply *hash, enum resolution r, int64_t chunk, int64_t first, uint32_t n,
                       uint64_t *out) {
    if (hash->type != REDIS_REPLY_ARRAY || hash->elements % 2 != 0)
        return false;
    for (size_t i = 0; i < hash->elements; i += 2) {
        const char *field = hash->element[i]->str, *value = hash->element[i + 1]->str;
        char *field_end, *value_end;
        if (field == NULL || value == NULL)
            return false;
        errno = 0;
        const unsigned long slot = strtoul(field, &field_end, 10);
        const unsigned long long count = strtoull(value, &value_end, 10);
        if (errno != 0 || field[0] == '\0' || *field_end != '\0' || slot >= resolution_table[r].slots ||
            value[0] == '\0' || *value_end != '\0')
            return false;
        const int64_t at = chunk_first_window(r, chunk) + (int64_t)slot - first;
        if (at >= 0 && at < n)
            out[at] = count;
    }
    return true;
}

/* One reply of the pipeline. */
static bool take_reply(struct source_redis *source, enum resolution r, int64_t chunk, int64_t first,
                       uint32_t n, uint64_t *out) {
    void *reply = NULL;
    if (redisGetReply(source->redis, &reply) != REDIS_OK)
        return fail(source, source->redis->errstr, source->why);
    const redisReply *hash = reply;
    char error[PART_MAX] = "";
    if (hash->type == REDIS_REPLY_ERROR) {
        snprintf(error, sizeof error, "%s", hash->str);
    } else if (!take_chunk(hash, r, chunk, first, n, out)) {
        char key[KEY_MAX];
        key_of_chunk(r, chunk, key);
        snprintf(error, sizeof error, "%s does not hold counts", key);
    }
    freeReplyObject(reply);
    return error[0] == '\0' || fail(source, error, source->why);
}

static bool read_windows(void *cls, enum resolution r, int64_t first, uint32_t n, uint64_t *out) {
    struct source_redis *source = cls;
    const int64_t low = window_chunk(r, first), high = window_chunk(r, first + n - 1);
    memset(out, 0, n * sizeof *out);
    for (int64_t chunk = low; chunk <= high; chunk++) {
        char key[KEY_MAX];
        key_of_chunk(r, chunk, key);
        const char *words[] = {"HGETALL", key};
        if (redisAppendCommandArgv(source->redis, 2, words, NULL) != REDIS_OK)
            return fail(source, source->redis->errstr, source->why);
    }
    for (int64_t chunk = low; chunk <= high; chunk++) {
        if (!take_reply(source, r, chunk, first, n, out))
            return false;
    }
    return true;
}

static enum source_outcome rows(struct source *base, const struct query *query, int64_t now_us,
                                source_row each, void *cls, char why[SOURCE_WHY_MAX]) {
    struct source_redis *source = (struct source_redis *)base;
    const enum resolution r = query->resolution;
    if (source->redis == NULL && !connect_redis(source, why))
        return SOURCE_AWAY;
    source->why = why;
    struct query_reader reader = {.read = read_windows, .cls = source};
    reader.newest = window_at(r, now_us + FUTURE_MAX_US);
    int64_t oldest_us = now_us - kept_us[r] - HORIZON_MAX_US;
    if (query->from_us > 0 && query->from_us < oldest_us) {
        const int64_t limit_us = now_us - CHUNKS_MAX * chunk_width_us(r);
        oldest_us = query->from_us > limit_us ? query->from_us : limit_us;
    }
    reader.oldest = window_at(r, oldest_us > 0 ? oldest_us : 0);
    return source_rows_from_reader(base, &reader, query, now_us, each, cls);
}

static void close_redis(struct source *base) {
    redisFree(((struct source_redis *)base)->redis);
    free(base);
}

static const struct source_ops redis_ops = {ready, rows, close_redis};

static bool copy_part(char out[PART_MAX], const char *from, const char *end) {
    if (end - from >= PART_MAX)
        return false;
    memcpy(out, from, (size_t)(end - from));
    out[end - from] = '\0';
    return true;
}

/* A whole number up to max at `from`, ending at `end`. */
static bool copy_number(int *out, const char *from, const char *end, long max) {
    char *stop;
    const long number = strtol(from, &stop, 10);
    if (stop != end || from == end || *from < '0' || *from > '9' || number > max)
        return false;
    *out = (int)number;
    return true;
}

/* redis://[[user]:password@]host[:port][/db] */
static bool parse_url(const char *url, struct source_redis *source) {
    static const char scheme[] = "redis://";
    if (strncasecmp(url, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *at = url + sizeof scheme - 1;
    const char *slash = strchr(at, '/');
    const char *end = slash != NULL ? slash : at + strlen(at);
    const char *login_end = memrchr(at, '@', (size_t)(end - at));
    if (login_end != NULL) {
        const char *colon = memchr(at, ':', (size_t)(login_end - at));
        if (colon == NULL || !copy_part(source->user, at, colon) ||
            !copy_part(source->password, colon + 1, login_end))
            return false;
        at = login_end + 1;
    }
    const char *colon = memrchr(at, ':', (size_t)(end - at));
    source->port = PORT_DEFAULT;
    if (colon != NULL && !copy_number(&source->port, colon + 1, end, 65535))
        return false;
    if (!copy_part(source->host, at, colon != NULL ? colon : end) || source->host[0] == '\0')
        return false;
    return slash == NULL || slash[1] == '\0' ||
           copy_number(&source->db, slash + 1, slash + strlen(slash), 1000000);
}

struct source *source_redis_open(const struct source_config *config, char why[SOURCE_WHY_MAX]) {
    struct source_redis *source = calloc(1, sizeof *source);
    if (source == NULL) {
        snprintf(why, SOURCE_WHY_MAX, "out of memory");
        return NULL;
    }
    source->base =
        (struct source){.ops = &redis_ops, .horizon_us = config->horizon_us, .settle_us = SETTLE_US};
    source->timeout.tv_sec = config->timeout_us / US_PER_S;
    source->timeout.tv_usec = config->timeout_us % US_PER_S;
    if (!parse_url(config->place, source)) {
        snprintf(why, SOURCE_WHY_MAX, "redis: the URL is not redis://[[user]:password@]host[:port][/db]");
    } else if (ready(&source->base, why)) {
        return &source->base;
    }
    close_redis(&source->base);
    return NULL;
}
