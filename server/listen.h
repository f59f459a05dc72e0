/* The listening socket. */
#ifndef AFORO_SERVER_LISTEN_H
#define AFORO_SERVER_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#define LISTEN_WHY_MAX 256
#define LISTEN_ADDRESS_MAX 128

/* Whether text has one of the forms below; `why` (LISTEN_WHY_MAX) says so when not. Pure. */
bool listen_is_valid(const char *text, char *why);

/* Binds and listens on "ADDR:PORT", "[ADDR6]:PORT" or ":PORT" (all addresses); port 0 takes a free one. Returns a
 * non-blocking socket that the caller closes, and the address it got in `address` (LISTEN_ADDRESS_MAX); -1 with `why`
 * (LISTEN_WHY_MAX) filled otherwise, which the flag's name is to be put before. Before the threads start. */
int listen_open(const char *text, char *address, char *why);

#endif
