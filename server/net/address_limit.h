/* How many connections each client has open, for --max-connections-per-address: counted in the
 * words of an address table, so memory does not grow with the number of addresses. Two clients
 * share a count by accident with a probability of 1 in 65,536. Any thread. */
#ifndef AFORO_SERVER_NET_ADDRESS_LIMIT_H
#define AFORO_SERVER_NET_ADDRESS_LIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct address_limit;

/* Allows each client at most `most` (>= 1) connections. The caller frees with address_limit_free.
 * NULL when memory or random bytes are not available. */
struct address_limit *address_limit_new(uint32_t most);
void address_limit_free(struct address_limit *limit); /* NULL is allowed */

/* Counts one more connection of this client. False, and nothing is counted, when it already has
 * `most`. A NULL limit admits all. */
bool address_limit_admit(struct address_limit *limit, const struct sockaddr *address);

/* To be called once for each address_limit_admit that returned true, when the connection has
 * ended. */
void address_limit_release(struct address_limit *limit, const struct sockaddr *address);

#endif
