/* What matters of a client's address. Pure. */
#ifndef AFORO_SERVER_NET_ADDRESS_H
#define AFORO_SERVER_NET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* The network of an address, which counts as one client for every limit: the whole of an IPv4
 * address, also if mapped into IPv6; the first 64 bits of an IPv6 address, which belong to one
 * household or machine. All addresses of other families are one network. */
uint64_t address_network(const struct sockaddr *address);

/* Whether only this machine can reach the address: it is a loopback address, or neither IPv4 nor
 * IPv6 (the mode of a local socket's file says who may connect). */
bool address_is_local(const struct sockaddr *address);

#endif
