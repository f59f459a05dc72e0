/* Deferral: the kernel holds a new connection back until its first bytes arrive, for about a second
 * at most (TCP_DEFER_ACCEPT). Most clients connect first and send a moment later; with deferral
 * they wake a worker up once instead of twice, which saves four system calls. A connection that the
 * kernel still holds would be reset when the last listening socket is closed, so deferral is ended
 * before that. */
#ifndef AFORO_SERVER_NET_DEFERRAL_H
#define AFORO_SERVER_NET_DEFERRAL_H

#include <stdbool.h>
#include <stdint.h>

/* us; no connection is held back longer than this after deferral has ended. */
#define DEFERRAL_MOST_US INT64_C(1500000)

/* Begins deferral, unless the kernel does not tell what it holds back (no netlink socket): then
 * connections continue to come at once. */
void deferral_begin(int listen_fd);

/* Ends deferral: new connections come at once; those held back come with their first bytes, or
 * within DEFERRAL_MOST_US. */
void deferral_end(int listen_fd);

/* Whether any connection to this socket's port that began at least age_us ago is held back, or not
 * yet acknowledged by its client. The kernel searches its table of sockets, which takes
 * milliseconds. False when the kernel does not tell. */
bool deferral_keeps_any(int listen_fd, int64_t age_us);

#endif
