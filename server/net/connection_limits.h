/* How many connections may be open at one listening address: over all its workers together, and per
 * client. The library's own limit per daemon would leave an excess connection in the backlog, where
 * it waits for an answer that never comes; here it is closed, counted and logged. Any thread,
 * except connection_limits_init. */
#ifndef AFORO_SERVER_NET_CONNECTION_LIMITS_H
#define AFORO_SERVER_NET_CONNECTION_LIMITS_H

#include "server/net/address_limit.h"
#include "server/process/log.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* the limit of --admin-listen, whatever --max-connections is: the two listeners do not share
 * limits */
#define CONNECTION_LIMIT_ADMIN 256

enum connection_verdict { CONNECTION_ADMITTED, CONNECTION_TOO_MANY, CONNECTION_TOO_MANY_OF_CLIENT };

struct connection_limits {
    uint64_t most;
    bool admin;                   /* of --admin-listen */
    struct address_limit *client; /* NULL: no limit per client; not owned */
    _Atomic uint64_t open;
    struct log_digest too_many;
};

/* Before the threads start. `client` remains the caller's, and several listeners may share it. */
void connection_limits_init(struct connection_limits *limits, bool admin, uint64_t most,
                            struct address_limit *client);

/* Counts one more connection from this address, unless a limit is reached. */
enum connection_verdict connection_limits_admit(struct connection_limits *limits,
                                                const struct sockaddr *address);

/* Uncounts a connection that was admitted and has ended. */
void connection_limits_release(struct connection_limits *limits, const struct sockaddr *address);

/* Logs that n more connections were closed because of a limit; 0: only checks whether a line is
 * due. The first is logged at once, further ones once a minute. now_us: steady clock. */
void connection_limits_warn(struct connection_limits *limits, uint64_t n, int64_t now_us);

#endif
