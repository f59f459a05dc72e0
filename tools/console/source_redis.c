/* Rows from Redis: the totals that all nodes together have reported. */
#include "tools/console/source_redis.h"
#include "counters/time/horizon.h"
#include "redis/audit.h"
#include "redis/link.h"
#include "redis/nodes.h"
#include "redis/reader.h"
#include "redis/rows_audit.h"
#include "redis/schema.h"
#include "redis/tls.h"
#include "tools/console/reach.h"
#include "tools/console/report_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US_PER_HOUR (INT64_C(3600) * US_PER_S)
#define US_PER_DAY (24 * US_PER_HOUR)
#define CHUNKS_MAX 1000000          /* limits how far back --from may reach */
#define SETTLE_US (250 * US_PER_MS) /* a flush interval and the duration of a flush */

/* The default times to live of the totals; a key lives longer by the horizon at most. If they were
 * set longer, --from reaches what is older. */
static const int64_t kept_us[RESOLUTIONS] = {[RESOLUTION_10MS] = 2 * US_PER_HOUR,
                                             [RESOLUTION_1S] = 7 * US_PER_DAY,
                                             [RESOLUTION_1MIN] = 400 * US_PER_DAY};

struct source_redis {
    struct source base;
    struct link *link;
    char *why; /* where the current query wants its sentence */
};

_Static_assert(SOURCE_WHY_MAX >= LINK_WHY_MAX && SOURCE_WHY_MAX >= REDIS_URL_WHY_MAX + 8,
               "their sentences fit");

/* The remedy for a refusal by Redis; "": its own words must suffice. */
static const char *find_remedy(const char *sentence) {
    if (strstr(sentence, "NOAUTH") != NULL)
        return " (it wants a password: set AFORO_REDIS_PASSWORD or AFORO_REDIS_PASSWORD_FILE)";
    if (strstr(sentence, "NOPERM") != NULL)
        return " (this user needs +hmget, +hgetall, +hscan, +exists, +get and ~aforo:* to read "
               "what aforo keeps)";
    return "";
}

/* Whether the sentence is an error that Redis answered: "ADDRESS: NOAUTH Authentication
 * required". */
static bool is_refusal(const char *sentence) {
    for (const char *at = strstr(sentence, ": "); at != NULL; at = strstr(at + 2, ": ")) {
        const size_t capitals = strspn(at + 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (capitals > 1 && (at[2 + capitals] == ' ' || at[2 + capitals] == ':'))
            return true;
    }
    return false;
}

/* Puts the source before a sentence of redis/, which begins with the address. Returns false. */
static bool explain_failure(const struct source_redis *source, const char *sentence,
                            char why[SOURCE_WHY_MAX]) {
    reach_note(!link_connected(source->link) && !is_refusal(sentence));
    static const char none_wanted[] = "called without any password configured";
    const char *address = link_address(source->link);
    if (strstr(sentence, none_wanted) != NULL) { /* three lines of Redis' own */
        snprintf(why, SOURCE_WHY_MAX,
                 "redis %.200s: AUTH: a password was given, and this Redis has none: leave it out "
                 "(of the URL, AFORO_REDIS_PASSWORD, AFORO_REDIS_PASSWORD_FILE)",
                 address);
    } else {
        snprintf(why, SOURCE_WHY_MAX, "redis %.250s%s", sentence, find_remedy(sentence));
    }
    return false;
}

/* A chunk that nobody has, asked for to find out whether we may read at all; not worth naming in a
 * message. */
#define PROBE_CHUNK 1
static const char *cut_probe(char sentence[LINK_WHY_MAX]) {
    char key[SCHEMA_KEY_MAX + 2];
    size_t len = schema_chunk_key(RESOLUTION_1MIN, PROBE_CHUNK, 0, key);
    memcpy(key + len, ": ", 3);
    char *at = strstr(sentence, key);
    if (at != NULL)
        memmove(at, at + len + 2, strlen(at + len + 2) + 1);
    return sentence;
}

static bool make_connected(struct source_redis *source, char why[SOURCE_WHY_MAX]) {
    char sentence[LINK_WHY_MAX];
    const bool connected = link_connected(source->link) || link_connect(source->link, sentence);
    if (connected)
        reach_note(false);
    return connected || explain_failure(source, sentence, why);
}

static bool make_ready(struct source *base, char why[SOURCE_WHY_MAX]) {
    struct source_redis *source = (struct source_redis *)base;
    char sentence[LINK_WHY_MAX];
    bool ignored;
    return make_connected(source, why) && /* may we read at all? */
           (reader_find_totals(source->link, (struct chunk_range){RESOLUTION_1MIN, PROBE_CHUNK, 1},
                               &ignored, sentence) ||
            explain_failure(source, cut_probe(sentence), why));
}

struct link *source_redis_peek(const struct source *source) {
    return ((const struct source_redis *)source)->link;
}

struct link *source_redis_link(struct source *base, char why[SOURCE_WHY_MAX]) {
    struct source_redis *source = (struct source_redis *)base;
    return make_connected(source, why) ? source->link : NULL;
}

bool source_redis_explain(const struct source *source, const char *sentence,
                          char why[SOURCE_WHY_MAX]) {
    return explain_failure((const struct source_redis *)source, sentence, why);
}

/* Receives the findings of a part of the audit, and the chunks that it examines. */
struct audit {
    struct source_redis *source;
    const struct finding_taker *taker;
    char *why;
};

static void pass_on(void *cls, const char *sentence) {
    const struct audit *audit = cls;
    audit->taker->take(audit->taker->cls, sentence);
}

#define AUDIT_CHUNKS 64

static bool audit_resolution(const struct audit *audit, enum resolution r, int64_t first,
                             int64_t end) {
    char sentence[LINK_WHY_MAX];
    for (int64_t chunk = first; chunk < end; chunk += AUDIT_CHUNKS) {
        const int64_t here = end - chunk < AUDIT_CHUNKS ? end - chunk : AUDIT_CHUNKS;
        const struct chunk_range range = {r, chunk, (uint32_t)here};
        if (!audit_check_chunks(audit->source->link, range, pass_on, (void *)(uintptr_t)audit,
                                sentence)) {
            return explain_failure(audit->source, sentence, audit->why);
        }
    }
    return true;
}

static bool audit_reports(const struct audit *audit, const struct query *query, int64_t now_us) {
    const struct rows_audit_span span = {query->from_us, query->to_us, now_us};
    char sentence[LINK_WHY_MAX];
    return rows_audit_reports(audit->source->link, &span, pass_on, (void *)(uintptr_t)audit,
                              sentence) ||
           explain_failure(audit->source, sentence, audit->why);
}

static bool audit_all(struct source *base, const struct query *query, int64_t now_us,
                      const struct finding_taker *taker, char why[SOURCE_WHY_MAX]) {
    const struct audit audit = {(struct source_redis *)base, taker, why};
    bool ok = make_connected(audit.source, why);
    for (int r = 0; r < RESOLUTIONS && ok; r++) {
        const int64_t width_us = chunk_width_us((enum resolution)r);
        const int64_t oldest_us = now_us - kept_us[r] - HORIZON_MAX_US,
                      newest_us = now_us + FUTURE_MAX_US;
        const int64_t from_us = query->from_us > oldest_us ? query->from_us : oldest_us;
        const int64_t to_us = query->to_us < newest_us ? query->to_us : newest_us;
        ok = audit_resolution(&audit, (enum resolution)r, (from_us > 0 ? from_us : 0) / width_us,
                              to_us / width_us + 1);
    }
    return ok && audit_reports(&audit, query, now_us);
}

static bool read_windows(void *cls, enum resolution r, int64_t first, uint32_t n, uint64_t *out) {
    struct source_redis *source = cls;
    uint64_t counts[QUERY_BLOCK + 2 * SLOTS_MAX]; /* a block may begin and end within a chunk */
    const int64_t low = window_chunk(r, first), high = window_chunk(r, first + n - 1);
    char sentence[LINK_WHY_MAX];
    const struct chunk_range range = {r, low, (uint32_t)(high - low + 1)};
    if (!reader_read_totals(source->link, range, counts, sentence)) {
        return explain_failure(source, sentence, source->why);
    }
    memcpy(out, counts + window_slot(r, first), n * sizeof *out);
    return true;
}

static enum source_outcome read_rows(struct source *base, const struct query *query, int64_t now_us,
                                     const struct row_taker *taker, char why[SOURCE_WHY_MAX]) {
    struct source_redis *source = (struct source_redis *)base;
    const enum resolution r = query->resolution;
    if (!make_connected(source, why)) {
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
    reader.kept = window_at(r, now_us > kept_us[r] ? now_us - kept_us[r] : 0);
    return source_rows_from_reader(base, &reader, query, now_us, taker);
}

/* Passes on the nodes found in Redis. */
struct naming {
    const struct node_taker *taker;
    int64_t now_us;
};

/* how long after its last description a node counts as gone; each sends one a second */
#define GONE_US (5 * US_PER_S)

static void pass_node_on(void *cls, const char *name, size_t len, int64_t seen_ms,
                         const char *words) {
    const struct naming *naming = cls;
    struct node_view node = {.last_seen_us = seen_ms * US_PER_MS};
    snprintf(node.node, sizeof node.node, "%.*s",
             (int)(len < sizeof node.node ? len : sizeof node.node - 1), name);
    nodes_read_words(words, &node);
    node.gone = node.ended || naming->now_us - node.last_seen_us > GONE_US;
    naming->taker->take(naming->taker->cls, &node);
}

static bool read_nodes(struct source *base, int64_t now_us, const struct node_taker *taker,
                       char why[SOURCE_WHY_MAX]) {
    struct source_redis *source = (struct source_redis *)base;
    struct naming naming = {taker, now_us};
    char sentence[LINK_WHY_MAX];
    return make_connected(source, why) &&
           (nodes_read(source->link, &(struct nodes_taker){pass_node_on, &naming}, sentence) ||
            explain_failure(source, sentence, why));
}

static void close_redis(struct source *base) {
    link_free(((struct source_redis *)base)->link);
    free(base);
}

static const struct source_ops redis_ops = {.ready = make_ready,
                                            .rows = read_rows,
                                            .audit = audit_all,
                                            .nodes = read_nodes,
                                            .close = close_redis};

bool source_redis_place_is_valid(const char *place, char why[SOURCE_WHY_MAX]) {
    struct redis_url url;
    char sentence[REDIS_URL_WHY_MAX];
    const bool valid = redis_url_parse(place, &url, sentence);
    if (!valid)
        snprintf(why, SOURCE_WHY_MAX, "%s", sentence);
    return valid;
}

bool source_redis_tls_is_valid(const char *place, const struct redis_tls_options *tls,
                               char why[SOURCE_WHY_MAX]) {
    struct redis_url url;
    char sentence[REDIS_URL_WHY_MAX];
    const bool valid =
        !redis_url_parse(place, &url, sentence) || !url.tls || redis_tls_check(tls, sentence);
    if (!valid)
        snprintf(why, SOURCE_WHY_MAX, "%s", sentence);
    return valid;
}

struct source *source_redis_new(const struct source_config *config, char why[SOURCE_WHY_MAX]) {
    struct redis_url url;
    char sentence[REDIS_URL_WHY_MAX];
    if (!redis_url_parse(config->place, &url, sentence)) {
        snprintf(why, SOURCE_WHY_MAX, "redis %s", sentence);
        return NULL;
    }
    url.tls_options = config->redis_tls;
    struct source_redis *source = calloc(1, sizeof *source);
    struct link *link = source ? link_new(&url, (long)(config->timeout_us / US_PER_MS)) : NULL;
    if (!link) {
        snprintf(why, SOURCE_WHY_MAX, "out of memory");
        free(source);
        return NULL;
    }
    source->base = (struct source){.ops = &redis_ops,
                                   .reports = &report_redis_ops,
                                   .horizon_us = config->horizon_us,
                                   .settle_us = SETTLE_US};
    memcpy(source->base.kept_us, kept_us, sizeof kept_us);
    source->link = link;
    char db[32] = "";
    if (url.kind != REDIS_URL_CLUSTER)
        snprintf(db, sizeof db, ", database %d,", url.db);
    snprintf(source->base.nothing, SOURCE_WHY_MAX,
             "redis %.200s%s holds no counts of aforo; is it the right Redis, and the right "
             "database of it?",
             url.address, db);
    return &source->base;
}

struct source *source_redis_open(const struct source_config *config, char why[SOURCE_WHY_MAX]) {
    struct source *source = source_redis_new(config, why);
    if (source && !make_ready(source, why)) {
        close_redis(source);
        return NULL;
    }
    return source;
}
