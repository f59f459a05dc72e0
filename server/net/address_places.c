#include "server/net/address_places.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PLACES 65536

struct address_places {
    uint32_t most;
    uint64_t key[2];
    _Atomic uint32_t open[PLACES];
};

struct address_places *address_places_new(uint32_t most) {
    struct address_places *places = calloc(1, sizeof *places);
    if (places && getrandom(places->key, sizeof places->key, 0) != (ssize_t)sizeof places->key) {
        free(places);
        return NULL;
    }
    if (places) {
        places->most = most;
    }
    return places;
}

void address_places_free(struct address_places *places) {
    free(places);
}

/* The address as 64 bits: IPv4, also when it comes as IPv6, or the upper half of IPv6, its network.
 */
static uint64_t network_of(const struct sockaddr *address) {
    uint64_t network = 0;
    if (address->sa_family == AF_INET) {
        network = ((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr;
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *in6 =
            &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(in6)) {
            uint32_t in4;
            memcpy(&in4, &in6->s6_addr[12], sizeof in4);
            return in4;
        }
        memcpy(&network, in6->s6_addr, sizeof network);
    }
    return network;
}

/* A keyed product of 128 bits, folded; the key is secret and odd. */
static _Atomic uint32_t *place_of(struct address_places *places, const struct sockaddr *address) {
    const unsigned __int128 product =
        (unsigned __int128)(network_of(address) ^ places->key[0]) * (places->key[1] | 1);
    const uint64_t mixed = (uint64_t)product ^ (uint64_t)(product >> 64);
    return &places->open[(mixed ^ (mixed >> 32) ^ (mixed >> 16)) % PLACES];
}

bool address_places_take(struct address_places *places, const struct sockaddr *address) {
    if (!places) {
        return true;
    }
    _Atomic uint32_t *open = place_of(places, address);
    if (atomic_fetch_add_explicit(open, 1, memory_order_relaxed) < places->most) {
        return true;
    }
    atomic_fetch_sub_explicit(open, 1, memory_order_relaxed);
    return false;
}

void address_places_release(struct address_places *places, const struct sockaddr *address) {
    if (places) {
        atomic_fetch_sub_explicit(place_of(places, address), 1, memory_order_relaxed);
    }
}
