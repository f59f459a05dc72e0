/* Rows from Redis: the totals that all nodes together have reported. */
#include "redis/link.h"
#include "redis/reader.h"
#include "tools/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US_PER_HOUR (INT64_C(3600) * US_PER_S)
#define US_PER_DAY (24 * US_PER_HOUR)
#define FUTURE_MAX_US US_PER_HOUR /* no node accepts events further ahead */
#define HORIZON_MAX_US US_PER_DAY /* nor older ones: a key lives so much longer than its time to live */
#define CHUNKS_MAX 1000000        /* how far back --from may make us look */
#define SETTLE_US (250 * US_PER_MS) /* a flush interval and what the flush takes */

/* The default times to live of the totals. Where they are longer, --from reaches what is older. */
static const int64_t kept_us[RESOLUTIONS] = {[RESOLUTION_10MS] = 2 * US_PER_HOUR,
                                             [RESOLUTION_1S] = 7 * US_PER_DAY,
                                             [RESOLUTION_1MIN] = 400 * US_PER_DAY};

struct source_redis {
    struct source base;
    struct link *link;
    char *why; /* where the query under way wants its sentence */
};

_Static_assert(SOURCE_WHY_MAX >= LINK_WHY_MAX && SOURCE_WHY_MAX >= REDIS_URL_WHY_MAX + 8, "their sentences fit");

/* A sentence of redis/ begins with an address or a key: says first which source it speaks of. Returns false. */
static bool fail(const char *sentence, char why[SOURCE_WHY_MAX]) {
    snprintf(why, SOURCE_WHY_MAX, "redis %s", sentence);
    return false;
}

static bool connected(struct source_redis *source, char why[SOURCE_WHY_MAX]) {
    char sentence[LINK_WHY_MAX];
    return link_connected(source->link) || link_connect(source->link, sentence) || fail(sentence, why);
}

static bool ready(struct source *base, char why[SOURCE_WHY_MAX]) {
    struct source_redis *source = (struct source_redis *)base;
    char sentence[LINK_WHY_MAX];
    bool ignored;
    return connected(source, why) && /* may we read at all? */
           (reader_exists(source->link, RESOLUTION_1MIN, 1, 1, &ignored, sentence) || fail(sentence, why));
}

static bool read_windows(void *cls, enum resolution r, int64_t first, uint32_t n, uint64_t *out) {
    struct source_redis *source = cls;
    uint64_t counts[QUERY_BLOCK + 2 * SLOTS_MAX]; /* a block may begin and end within a chunk */
    const int64_t low = window_chunk(r, first), high = window_chunk(r, first + n - 1);
    char sentence[LINK_WHY_MAX];
    if (!reader_chunk_totals(source->link, r, low, (uint32_t)(high - low + 1), counts, sentence)) {
        return fail(sentence, source->why);
    }
    memcpy(out, counts + window_slot(r, first), n * sizeof *out);
    return true;
}

static enum source_outcome rows(struct source *base, const struct query *query, int64_t now_us,
                                source_row each, void *cls, char why[SOURCE_WHY_MAX]) {
    struct source_redis *source = (struct source_redis *)base;
    const enum resolution r = query->resolution;
    if (!connected(source, why)) {
        return SOURCE_AWAY;
    }
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
    link_free(((struct source_redis *)base)->link);
    free(base);
}

static const struct source_ops redis_ops = {ready, rows, close_redis};

struct source *source_redis_open(const struct source_config *config, char why[SOURCE_WHY_MAX]) {
    struct redis_url url;
    char sentence[REDIS_URL_WHY_MAX];
    if (!redis_url_parse(config->place, &url, sentence)) {
        fail(sentence, why);
        return NULL;
    }
    struct source_redis *source = calloc(1, sizeof *source);
    struct link *link = source ? link_new(&url, (long)(config->timeout_us / US_PER_MS)) : NULL;
    if (!link) {
        snprintf(why, SOURCE_WHY_MAX, "out of memory");
        free(source);
        return NULL;
    }
    source->base = (struct source){.ops = &redis_ops, .horizon_us = config->horizon_us, .settle_us = SETTLE_US};
    source->link = link;
    if (ready(&source->base, why)) {
        return &source->base;
    }
    close_redis(&source->base);
    return NULL;
}
