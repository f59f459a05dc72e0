#include "server/net/connection_limits.h"

#include "counters/time/window.h"

#define WARN_EVERY_US (60 * US_PER_S)

void connection_limits_init(struct connection_limits *limits, bool admin, uint64_t most,
                            struct address_limit *client) {
    limits->admin = admin;
    limits->most = most;
    limits->client = client;
}

enum connection_verdict connection_limits_admit(struct connection_limits *limits,
                                                const struct sockaddr *address) {
    enum connection_verdict verdict = CONNECTION_TOO_MANY;
    if (atomic_fetch_add_explicit(&limits->open, 1, memory_order_relaxed) < limits->most) {
        if (address_limit_admit(limits->client, address)) {
            return CONNECTION_ADMITTED;
        }
        verdict = CONNECTION_TOO_MANY_OF_CLIENT;
    }
    atomic_fetch_sub_explicit(&limits->open, 1, memory_order_relaxed);
    return verdict;
}

void connection_limits_release(struct connection_limits *limits, const struct sockaddr *address) {
    address_limit_release(limits->client, address);
    atomic_fetch_sub_explicit(&limits->open, 1, memory_order_relaxed);
}

void connection_limits_warn(struct connection_limits *limits, uint64_t n, int64_t now_us) {
    const uint64_t refused = log_digest_add(&limits->too_many, n, now_us, WARN_EVERY_US);
    if (refused) {
        log_line(LOG_WARN,
                 limits->admin ? "--admin-listen has as many connections as it takes"
                               : "--max-connections is reached",
                 "open=%llu most=%llu refused=%llu remedy=%s",
                 (unsigned long long)atomic_load_explicit(&limits->open, memory_order_relaxed),
                 (unsigned long long)limits->most, (unsigned long long)refused,
                 limits->admin ? "\"close connections that only wait\""
                               : "\"raise --max-connections, or add servers\"");
    }
}
