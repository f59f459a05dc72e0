/* How many connections may be open at one listening address: by all its workers together, and by
 * one client. The library's own limit, of each daemon, would leave a connection too many in the
 * backlog, where it waits for an answer that never comes; here it is closed, counted and logged.
 * Any thread, but for connection_limits_init. */
#ifndef AFORO_SERVER_NET_CONNECTION_LIMITS_H
#define AFORO_SERVER_NET_CONNECTION_LIMITS_H

#include "server/net/address_limit.h"
#include "server/process/log.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* of --admin-listen, whatever --max-connections is: the two listeners do not share their limits */
#define CONNECTION_LIMIT_ADMIN 256

enum connection_verdict { CONNECTION_ADMITTED, CONNECTION_TOO_MANY, CONNECTION_TOO_MANY_OF_CLIENT };

struct connection_limits {
    uint64_t most;
    bool admin;                   /* of --admin-listen */
    struct address_limit *client; /* NULL: any number of one client; not owned */
    _Atomic uint64_t open;
    struct log_digest too_many;
};

/* Before the threads start. `client` stays the caller's, and may be of several listeners. */
void connection_limits_init(struct connection_limits *limits, bool admin, uint64_t most,
                            struct address_limit *client);

/* Counts one more connection from this address, unless it is one too many. */
enum connection_verdict connection_limits_admit(struct connection_limits *limits,
                                                const struct sockaddr *address);

/* A connection that was admitted has ended. */
void connection_limits_release(struct connection_limits *limits, const struct sockaddr *address);

/* n more connections were closed, one too many (0: none, only look whether a line is due). The
 * first is logged at once, and what follows once a minute. now_us: steady clock. */
void connection_limits_warn(struct connection_limits *limits, uint64_t n, int64_t now_us);

#endif
