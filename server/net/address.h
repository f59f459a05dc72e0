/* What is looked at of a client's address. Pure. */
#ifndef AFORO_SERVER_NET_ADDRESS_H
#define AFORO_SERVER_NET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* The network of an address, which is one client to every limit: all of an IPv4 address, also when
 * it is mapped into IPv6; of IPv6 the first 64 bits, which one household or machine has. Addresses
 * of other families are one network. */
uint64_t address_network(const struct sockaddr *address);

/* Whether only this machine reaches the address: a loopback address, or one that is neither IPv4
 * nor IPv6 (the mode of a local socket's file says who may connect). */
bool address_is_local(const struct sockaddr *address);

#endif
