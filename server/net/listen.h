/* The listening socket. */
#ifndef AFORO_SERVER_NET_LISTEN_H
#define AFORO_SERVER_NET_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#define LISTEN_WHY_MAX 256
#define LISTEN_ADDRESS_MAX 128

/* Whether text has one of the forms below; if not, `why` (LISTEN_WHY_MAX bytes) says so. Pure. */
bool listen_is_valid(const char *text, char *why);

/* Binds and listens on "ADDR:PORT", "[ADDR6]:PORT" or ":PORT" (all addresses); port 0 takes a free
 * one. Returns a non-blocking socket, which the caller closes, and its address in `address`
 * (LISTEN_ADDRESS_MAX bytes). On failure returns -1 and fills `why` (LISTEN_WHY_MAX bytes), a
 * sentence that goes after the flag's name. Before the threads start. */
int listen_open(const char *text, char *address, char *why);

enum listen_inherited {
    LISTEN_NOT_INHERITED, /* we were not started with a socket */
    LISTEN_INHERITED,     /* *fd and address are set */
    LISTEN_UNUSABLE       /* `why` says what is wrong with it */
};

/* Takes over the listening socket that a service manager (systemd's socket activation,
 * sd_listen_fds(3)) has opened for this process and keeps open for the next one, so that a restart
 * refuses no connection. The socket is made non-blocking; the caller closes it. The variables
 * LISTEN_* are removed from the environment in any case. Before the threads start. */
enum listen_inherited listen_inherit(int *fd, char *address, char *why);

#endif
