/* How many connections each address has open, for --max-connections-per-address. Counted in a table
 * of fixed size by a keyed hash: memory does not grow with the number of addresses, and nobody can
 * choose whom to share a place with (two addresses of 65,536 share one by accident). An IPv6
 * network of 64 bits counts as one address. Any thread. */
#ifndef AFORO_SERVER_NET_ADDRESS_PLACES_H
#define AFORO_SERVER_NET_ADDRESS_PLACES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct address_places;

/* At most `most` (>= 1) connections each. NULL when out of memory. */
struct address_places *address_places_new(uint32_t most);
void address_places_free(struct address_places *places);

/* False when this address has as many as it may. NULL places: always true. */
bool address_places_take(struct address_places *places, const struct sockaddr *address);

/* For each take that was true. */
void address_places_release(struct address_places *places, const struct sockaddr *address);

#endif
