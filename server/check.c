#include "server/check.h"

#include "counters/counters.h"
#include "redis/tls.h"
#include "server/net/listen.h"
#include "server/process/log.h"
#include "server/reports/time_names.h"

#include <stdio.h>

_Static_assert(LISTEN_WHY_MAX >= REDIS_URL_WHY_MAX, "room for the sentences of both");
_Static_assert(CHECK_WHY_MAX >= LISTEN_WHY_MAX + sizeof "--admin-listen: ", "and their flag");

static bool refuse_value(const char *flag, const char *sentence, char *why) {
    snprintf(why, CHECK_WHY_MAX, "--%s: %s", flag, sentence);
    return false;
}

static bool check_seconds(const char *flag, int64_t us, char *why) {
    return us % US_PER_S == 0 || refuse_value(flag, "must be whole seconds", why);
}

static bool check_node_id(const char *id, char *why) {
    char sentence[128];
    if (!*id || counters_node_id_is_valid(id)) {
        return true;
    }
    snprintf(sentence, sizeof sentence, "'%.80s' is not 1 to %d of A-Z a-z 0-9 . _ -", id,
             COUNTERS_NODE_MAX - 1);
    return refuse_value("node-id", sentence, why);
}

static bool check_place(const char *flag, const char *place, char *why) {
    char sentence[LISTEN_WHY_MAX];
    return listen_is_valid(place, sentence) || refuse_value(flag, sentence, why);
}

struct redis_tls_options check_redis_tls(const struct options *options) {
    return (struct redis_tls_options){.ca = options->redis_tls_ca,
                                      .cert = options->redis_tls_cert,
                                      .key = options->redis_tls_key,
                                      .name = options->redis_tls_name,
                                      .verify = options->redis_tls_verify};
}

/* Whoever names a CA means TLS; a missing s in the URL must not send data in the clear. */
static bool check_no_tls(const struct redis_tls_options *tls, char *why) {
    const char *flag = *tls->ca     ? "redis-tls-ca"
                       : *tls->cert ? "redis-tls-cert"
                       : *tls->key  ? "redis-tls-key"
                       : *tls->name ? "redis-tls-name"
                                    : NULL;
    return !flag || refuse_value(flag, "is of rediss://, and --redis names no Redis with TLS", why);
}

bool check_redis(const struct options *options, char why[CHECK_WHY_MAX]) {
    struct redis_url url;
    char sentence[REDIS_URL_WHY_MAX];
    const struct redis_tls_options tls = check_redis_tls(options);
    if (!*options->redis) {
        return check_no_tls(&tls, why);
    }
    if (!redis_url_parse(options->redis, &url, sentence)) {
        return refuse_value("redis", sentence, why);
    }
    if (!url.tls) {
        return check_no_tls(&tls, why);
    }
    if (!redis_tls_check(&tls, sentence)) {
        snprintf(why, CHECK_WHY_MAX, "%s", sentence);
        return false;
    }
    return true;
}

static bool check_time_field(const char *text, char *why) {
    struct time_names names;
    char sentence[TIME_NAMES_WHY_MAX];
    return time_names_read(text, &names, sentence) || refuse_value("time-field", sentence, why);
}

bool check_options(const struct options *options, char why[CHECK_WHY_MAX]) {
    return check_seconds("horizon", options->horizon, why) &&
           check_seconds("future", options->future, why) && check_node_id(options->node_id, why) &&
           check_place("listen", options->listen, why) &&
           (!*options->admin_listen || check_place("admin-listen", options->admin_listen, why)) &&
           check_redis(options, why) && check_time_field(options->time_field, why);
}
