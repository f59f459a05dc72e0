/* What kind of body a request says that it brings. Pure. */
#ifndef AFORO_SERVER_HTTP_CONTENT_H
#define AFORO_SERVER_HTTP_CONTENT_H

#include <stddef.h>

enum content {
    CONTENT_USUAL, /* a form at /, lines at /events: whatever the type, where it is none of these */
    CONTENT_JSON,  /* application/json: an object at /, an array of objects at /events */
    CONTENT_JSON_LINES /* application/x-ndjson: an object a line */
};

/* The out-of-line part of content_find. */
enum content content_compare(const char *type, size_t size);

/* By the value of Content-Type; NULL: there is none. Parameters such as charset are passed over.
 * What nearly all send is told apart by one byte (application/x-www-form-urlencoded). */
static inline enum content content_find(const char *type, size_t size) {
    if (size < sizeof "application/json" - 1) {
        return CONTENT_USUAL;
    }
    const char *subtype = type + sizeof "application/" - 1;
    const char first = (subtype[0] | 0x20) == 'x' ? subtype[2] : subtype[0];
    return (first | 0x20) == 'j' || (first | 0x20) == 'n' ? content_compare(type, size)
                                                          : CONTENT_USUAL;
}

#endif
