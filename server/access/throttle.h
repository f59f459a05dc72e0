/* How many requests a client may make in a second (--limit-per-client): a token bucket per address,
 * in a table whose size does not depend on how many addresses there are, spoofed or not.
 *
 *     a set of server/net/address_table.h: [tag 20 bits | time 44 bits] x 8
 *
 * A bucket is one word of that table: the time at which it will be full again (the "theoretical
 * arrival time" of the generic cell rate algorithm, ITU-T I.371), and 20 bits of the hash of its
 * address. Buckets are shared by all threads and changed by compare-and-swap, so a client has the
 * same limit whichever worker its connections are handed to.
 *
 * What is approximate:
 * - 65,536 clients are remembered. A set without a free word forgets the client whose bucket is
 * nearest to being full; that client then starts with a full bucket again. With more clients than
 * that at once, one may get more than the limit, but never less.
 * - Two addresses that agree in 33 bits of hash share a bucket: one pair in 8.6 billion.
 * - A client that returns after 12.7 days, to within 4 s, may be refused for up to 4 s.
 * - The time of a request is that of its worker's wake-up.
 * - Rates are rounded to a whole number of 1/16 us between requests: by 3 % at a million a second,
 * by 0.03 % at 10,000. */
#ifndef AFORO_SERVER_ACCESS_THROTTLE_H
#define AFORO_SERVER_ACCESS_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct throttle;

/* Allows each client rate_per_s requests a second (1 to 1,000,000), of which one second's worth may
 * come at once. Before the threads start. The caller frees with throttle_free. NULL when memory or
 * random bytes are not available. */
struct throttle *throttle_new(int64_t rate_per_s);
void throttle_free(struct throttle *throttle); /* NULL is allowed */

/* Returns the client behind an address (server/net/address.h), for throttle_admit. Any thread. */
uint64_t throttle_find_client(const struct throttle *throttle, const struct sockaddr *address);

/* Whether a client may make one more request now; if so, the request is counted. now_us:
 * microseconds of any steady clock. After a refusal, a request is admitted again within a second.
 * Any thread. */
bool throttle_admit(struct throttle *throttle, uint64_t client, int64_t now_us);

#endif
