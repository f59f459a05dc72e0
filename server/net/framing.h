/* Where a request begins and ends: a proxy in front of us has to agree with us byte by byte, or
 * what it passes on as a part of one request we may take for another (request smuggling).
 * libmicrohttpd is lax here, so we look ourselves, at what it parsed and at the bytes it parsed
 * from. By the worker's thread. */
#ifndef AFORO_SERVER_NET_FRAMING_H
#define AFORO_SERVER_NET_FRAMING_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

struct framing {
    /* refuse it and close: everything that follows on the connection is in doubt */
    bool broken;
    /* answer it and close: the library takes chunks laxly, and shows us no bytes of them */
    bool chunked;
    /* a Content-Encoding other than identity: its body is not what it looks like */
    bool encoded;
    unsigned authorizations; /* headers of that name */
    bool has_length;         /* it says how long its body is: Content-Length, or chunked */
    uint64_t length;         /* Content-Length; 0 without one */
    size_t header_bytes;     /* request line, headers, empty line */
};

/* What has to be kept of the request line until the headers are there: the library changes the
 * target in place. */
struct framing_target {
    const char *end; /* NULL: it holds what no target may */
    /* what follows the first '?'; NULL without one. As it came: only until the library goes on */
    const char *query;
};

/* Of the target as it came: visible ASCII only, no '#', no %00. */
struct framing_target framing_check_target(const char *uri);

/* Looks at the request whose headers have come. `method`, `url` and `version` as the library hands
 * them over, whose place in its buffer is looked at, too. */
struct framing framing_check(struct MHD_Connection *connection, struct framing_target target,
                             const char *method, const char *url, const char *version);

/* The path that is asked for: "http://host/path" is "/path". Points into url, or to a constant.
 * Pure. */
const char *framing_find_path(const char *url);

/* Whether this is the library whose line ends we know how to see; of another one, only what it
 * parsed is checked. */
bool framing_sees_lines(void);

#endif
