/* An answer to a request whose body is still coming. libmicrohttpd answers before a body or after
 * it, and closes in between without a word; and when a connection is closed while bytes of it lie
 * unread, TCP's reset takes the answer from the client, too. So we say it ourselves, end our side,
 * read on for a bounded while, and only then close (RFC 9112, 9.6). By the worker's thread. */
#ifndef AFORO_SERVER_NET_FAREWELL_H
#define AFORO_SERVER_NET_FAREWELL_H

#include <microhttpd.h>
#include <stdbool.h>

/* the client has so long to see the answer and to stop */
#define FAREWELL_US 2000000
/* and no more is read: who may not write cannot make us read for ever */
#define FAREWELL_BYTES (8 * 1024 * 1024)

struct farewell {
    unsigned status;
    const char *type; /* of text */
    const char *text;
    const char *header, *value; /* one more, or NULL */
};

/* Sends the whole answer, which says that the connection ends, and ends our side of it. Only when
 * the library has nothing to send itself: with a piece of the body at hand, or with the headers
 * when they ask for no 100 Continue. False when it could not be sent; the connection is then to be
 * closed. */
bool farewell_send(struct MHD_Connection *connection, const struct farewell *farewell);

#endif
