#include "server/check.h"

#include "counters/counters.h"
#include "redis/url.h"
#include "server/net/listen.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) static bool refuse_value(const char *flag, const char *format,
                                                               ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "aforod: --%s: ", flag);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return false;
}

bool check_options(const struct options *options) {
    char why[LISTEN_WHY_MAX];
    _Static_assert(LISTEN_WHY_MAX >= REDIS_URL_WHY_MAX, "room for the sentences of both");
    struct redis_url url;
    if (options->horizon % US_PER_S || options->future % US_PER_S) {
        return refuse_value(options->horizon % US_PER_S ? "horizon" : "future",
                            "must be whole seconds");
    }
    if (*options->node_id && !counters_node_id_is_valid(options->node_id)) {
        return refuse_value("node-id", "'%.80s' is not 1 to %d of A-Z a-z 0-9 . _ -",
                            options->node_id, COUNTERS_NODE_MAX - 1);
    }
    if (!listen_is_valid(options->listen, why)) {
        return refuse_value("listen", "%s", why);
    }
    if (*options->admin_listen && !listen_is_valid(options->admin_listen, why)) {
        return refuse_value("admin-listen", "%s", why);
    }
    return !*options->redis || redis_url_parse(options->redis, &url, why) ||
           refuse_value("redis", "%s", why);
}
