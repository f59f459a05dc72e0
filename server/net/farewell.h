/* A farewell answers a request whose body is still arriving, and ends its connection. libmicrohttpd
 * answers before a body or after it; in between it can only close. If a connection is closed with
 * unread bytes, TCP resets it, and the reset can destroy an answer that the client has not read. So
 * a farewell is sent without the library; then the server ends its side of the connection, reads on
 * for a bounded time, and only then closes (the lingering close of RFC 9112, 9.6). By the worker's
 * thread. */
#ifndef AFORO_SERVER_NET_FAREWELL_H
#define AFORO_SERVER_NET_FAREWELL_H

#include <microhttpd.h>
#include <stdbool.h>

/* how long the client has to see the answer and to stop */
#define FAREWELL_US 2000000
/* how much is read meanwhile, so that a client without permission to write cannot make the server
 * read for ever */
#define FAREWELL_BYTES (8 * 1024 * 1024)

struct farewell {
    unsigned status;
    const char *type; /* of text */
    const char *text;
    const char *header, *value; /* one more header, or NULL */
};

/* Sends the whole answer, with "Connection: close", and ends this side of the connection. May only
 * be called when the library has nothing to send: when it passes a piece of the body, or the
 * headers if they do not ask for 100 Continue. False when it could not be sent; the caller then
 * closes the connection. */
bool farewell_send(struct MHD_Connection *connection, const struct farewell *farewell);

#endif
