/* How many connections each client has open, for --max-connections-per-address: counted in the
 * words of an address table, so memory does not grow with the number of addresses. Two clients of
 * 65,536 share a count by accident. Any thread. */
#ifndef AFORO_SERVER_NET_ADDRESS_LIMIT_H
#define AFORO_SERVER_NET_ADDRESS_LIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct address_limit;

/* At most `most` (>= 1) connections each. NULL when out of memory or of random bytes. The caller
 * frees. */
struct address_limit *address_limit_new(uint32_t most);
void address_limit_free(struct address_limit *limit); /* NULL is allowed */

/* Counts one more connection of this client. False, and nothing is counted, when it has as many as
 * it may. NULL limit: always true. */
bool address_limit_admit(struct address_limit *limit, const struct sockaddr *address);

/* Once for each address_limit_admit that was true, when the connection has ended. */
void address_limit_release(struct address_limit *limit, const struct sockaddr *address);

#endif
