/* A small twin of the flush: some chunks of one node that grow, sent until all is acknowledged, and
 * compared at the end with what Redis says. What the store promises is what this needs: absolute
 * values, acknowledgements, and a connection that says so when it was lost. */
#ifndef AFORO_TESTS_REDIS_DRIVER_H
#define AFORO_TESTS_REDIS_DRIVER_H

#include "server/flush/store_redis.h"

#define DRIVER_CHUNKS 120

struct driver {
    struct store *store;
    struct store_chunk chunk[DRIVER_CHUNKS];
    bool acked[DRIVER_CHUNKS];
    unsigned connects, failures;
    unsigned losses;         /* times that the store had less than it had acknowledged */
    char why[STORE_WHY_MAX]; /* of the last failure */
};

/* A store for that URL with a time-out of timeout_ms; the owner of the node's lease is called as
 * the node. The test fails when there is none. */
struct store *driver_store(const char *url, const char *node, int64_t timeout_ms);

/* Chunks of all resolutions, two slots each, all counts 0. The driver closes the store at the end.
 */
void driver_begin(struct driver *driver, struct store *store);
void driver_end(struct driver *driver);

/* One event more in each of n chunks from the one numbered first on, in turns in either slot. */
void driver_count(struct driver *driver, unsigned first, unsigned n);

/* Connects when need be (then everything is to be sent again), and sends what is not acknowledged.
 */
void driver_turn(struct driver *driver);

/* Turns until all is acknowledged; the test fails after timeout_ms. */
void driver_settle(struct driver *driver, int64_t timeout_ms);

/* What the store reads back of this node, and the totals that a reader sees at that URL, are what
 * was counted. */
void driver_check(struct driver *driver, const char *url);

#endif
