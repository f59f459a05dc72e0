/* The hand-off of pending connections between the workers of one listening address. Every worker
 * has an inbox; a worker that accepts a connection puts it into the inbox of the worker with the
 * fewest. */
#ifndef AFORO_SERVER_NET_HANDOFF_H
#define AFORO_SERVER_NET_HANDOFF_H

#include "server/net/pending.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct handoff {
    STAILQ_ENTRY(handoff) entry;
    _Atomic uint64_t *connections; /* the worker's open connections; written by any thread */
    _Atomic(struct pending *) inbox;
    /* written when something is put into an empty inbox; never read, since it is watched for
     * edges */
    int event_fd;
};

STAILQ_HEAD(handoff_group, handoff);

/* Makes an empty inbox. Before the threads start. False, with errno set, when no descriptor is
 * available. */
bool handoff_open(struct handoff *handoff, _Atomic uint64_t *connections);

/* After the threads have ended. */
void handoff_close(struct handoff *handoff);

/* The member of the group that should get the next connection: `own`, unless another worker has
 * clearly fewer open. Any thread. */
struct handoff *handoff_choose(struct handoff *own, const struct handoff_group *group);

/* Puts a connection into the inbox, which takes ownership, counts it for that worker and wakes it
 * up. False, and nothing is done, when that worker takes no more. Any thread. */
bool handoff_put(struct handoff *to, struct pending *pending);

/* Whether handoff_take would return something. By its own worker. */
bool handoff_waits(const struct handoff *handoff);

/* Empties the inbox and returns its connections, linked by next_handed; NULL when it is empty. By
 * its own worker. */
struct pending *handoff_take(struct handoff *handoff);

/* The same for the last time: from now on handoff_put returns false. */
struct pending *handoff_shut(struct handoff *handoff);

#endif
