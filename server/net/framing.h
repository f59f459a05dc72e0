/* Where a request begins and ends. A proxy in front of aforod must agree about that to the byte;
 * otherwise aforod may take part of one request for another request (request smuggling).
 * libmicrohttpd is lax here, so this checks what the library parsed and the bytes from which it
 * parsed that. By the worker's thread. */
#ifndef AFORO_SERVER_NET_FRAMING_H
#define AFORO_SERVER_NET_FRAMING_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

struct framing {
    /* refuse it and close: everything that follows on the connection is suspect */
    bool broken;
    /* answer it and close: the library is also lax with chunks, whose bytes cannot be checked */
    bool chunked;
    /* it has a Content-Encoding other than identity */
    bool encoded;
    unsigned authorizations; /* number of Authorization headers */
    bool has_length;         /* it says how long its body is: by Content-Length or by chunks */
    uint64_t length;         /* Content-Length; 0 without one */
    const char *type;        /* the last Content-Type, of type_size bytes; NULL without one */
    size_t type_size;
    size_t header_bytes; /* request line, headers, empty line */
};

/* What is kept of the target until the headers have arrived, since the library changes it in
 * place. */
struct framing_target {
    const char *end; /* NULL: it is not valid */
    /* what follows the first '?', not decoded; NULL without one. Valid until the callback
     * returns */
    const char *query;
};

/* Checks the target as it arrived: it must be visible ASCII without '#' and %00. */
struct framing_target framing_check_target(const char *uri);

/* How many arguments the library would keep of that query, including empty ones. */
unsigned framing_count_arguments(const char *query);

/* Cuts the query off in the library's buffer, so that the library parses none of it. `target` is
 * the result of framing_check_target for this uri, and has a query. */
void framing_cut_query(const char *uri, const struct framing_target *target);

/* Checks a request whose headers have arrived. `method`, `url` and `version` must be the library's
 * own pointers, since their places in its buffer are checked too. */
struct framing framing_check(struct MHD_Connection *connection, struct framing_target target,
                             const char *method, const char *url, const char *version);

/* The path of a target: for "http://host/path" it is "/path". Points into url or to a constant.
 * Pure. */
const char *framing_find_path(const char *url);

/* Whether framing.c knows the buffer of this version of the library; with another one, only what it
 * parsed is checked. */
bool framing_knows_buffer(void);

/* Whether framing.c sees in that buffer everything that makes a request ambiguous, so that the
 * library need not be strict. */
bool framing_sees_lines(void);

#endif
