/* Where a request begins and ends. A proxy in front of aforod has to see it in the same way, byte
 * by byte; otherwise aforod may take a part of one request for another request (request smuggling).
 * libmicrohttpd is lax here, so this checks what the library parsed, and the bytes that it parsed
 * it from. By the worker's thread. */
#ifndef AFORO_SERVER_NET_FRAMING_H
#define AFORO_SERVER_NET_FRAMING_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

struct framing {
    /* refuse it and close: everything that follows on the connection is in doubt */
    bool broken;
    /* answer it and close: the library is lax with chunks, too, and their bytes cannot be checked
     */
    bool chunked;
    /* it has a Content-Encoding other than identity */
    bool encoded;
    unsigned authorizations; /* headers of that name */
    bool has_length;         /* it says how long its body is: Content-Length, or chunked */
    uint64_t length;         /* Content-Length; 0 without one */
    const char *type;        /* the last Content-Type, of type_size bytes; NULL without one */
    size_t type_size;
    size_t header_bytes; /* request line, headers, empty line */
};

/* What is kept of the target until the headers have come: the library changes it in place. */
struct framing_target {
    const char *end; /* NULL: it is not valid */
    /* what follows the first '?', not decoded; NULL without one. Valid until the library goes on */
    const char *query;
};

/* Checks the target as it came: valid is visible ASCII without '#' and %00. */
struct framing_target framing_check_target(const char *uri);

/* How many arguments the library would keep of that query, empty ones among them. */
unsigned framing_count_arguments(const char *query);

/* Ends the query where it begins, in the library's buffer: it parses none of it. `target` is what
 * framing_check_target said of that uri, and has a query. */
void framing_cut_query(const char *uri, const struct framing_target *target);

/* Checks a request whose headers have come. `method`, `url` and `version` are the library's own
 * pointers: where they lie in its buffer is checked, too. */
struct framing framing_check(struct MHD_Connection *connection, struct framing_target target,
                             const char *method, const char *url, const char *version);

/* The path of a target: of "http://host/path" it is "/path". Points into url, or to a constant.
 * Pure. */
const char *framing_find_path(const char *url);

/* Whether framing.c knows the buffer of this version of the library; with another one, only what it
 * parsed is checked. */
bool framing_knows_buffer(void);

/* Whether it sees all in that buffer that makes a request unclear, so that the library need not be
 * strict. */
bool framing_sees_lines(void);

#endif
