/* Addresses of clients, from text. */
#ifndef AFORO_TESTS_UNIT_ADDRESSES_H
#define AFORO_TESTS_UNIT_ADDRESSES_H

#include "tests/unit/check_main.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static inline union address address_at(const char *text, in_port_t port) {
    union address address;
    memset(&address, 0, sizeof address);
    if (strchr(text, ':')) {
        address.in6.sin6_family = AF_INET6;
        address.in6.sin6_port = port;
        ck_assert_int_eq(inet_pton(AF_INET6, text, &address.in6.sin6_addr), 1);
    } else {
        address.in.sin_family = AF_INET;
        address.in.sin_port = port;
        ck_assert_int_eq(inet_pton(AF_INET, text, &address.in.sin_addr), 1);
    }
    return address;
}

#endif
