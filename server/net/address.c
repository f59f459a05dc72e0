#include "server/net/address.h"

#include <netinet/in.h>
#include <string.h>

/* No prefix that IPv6 assigns to anybody begins with zeros, so no IPv6 network equals one of
 * these. */
#define NETWORK_IPV4 (UINT64_C(0xffff) << 32)

uint64_t address_network(const struct sockaddr *address) {
    uint64_t network = 0;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return NETWORK_IPV4 | in.sin_addr.s_addr;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
            uint32_t mapped;
            memcpy(&mapped, &in6.sin6_addr.s6_addr[12], sizeof mapped);
            return NETWORK_IPV4 | mapped;
        }
        memcpy(&network, in6.sin6_addr.s6_addr, sizeof network);
    }
    return network;
}

bool address_is_local(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return ntohl(in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) &&
                in6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
    }
    return true;
}
