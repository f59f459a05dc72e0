/* The kernel keeps a new connection to itself until its first bytes have come, for about a second
 * at most (TCP_DEFER_ACCEPT). A client that connects first and sends a moment later, as most do,
 * wakes a worker up once instead of twice, and saves four system calls. A connection that the
 * kernel still keeps would be reset when the last listening socket is closed: so deferral ends
 * before. */
#ifndef AFORO_SERVER_NET_DEFERRAL_H
#define AFORO_SERVER_NET_DEFERRAL_H

#include <stdbool.h>
#include <stdint.h>

/* No connection is kept longer, once deferral has ended (us). */
#define DEFERRAL_MOST_US INT64_C(1500000)

/* Where the kernel does not tell what it keeps (no netlink socket), connections come at once. */
void deferral_begin(int listen_fd);

/* New connections come at once; those that are kept come with their first bytes, or within
 * DEFERRAL_MOST_US. */
void deferral_end(int listen_fd);

/* Whether connections to this socket's port are under way since age_us ago or longer: kept, or not
 * acknowledged by the client yet. The kernel goes through its table of sockets, which takes
 * milliseconds. False when it does not tell. */
bool deferral_keeps_any(int listen_fd, int64_t age_us);

#endif
