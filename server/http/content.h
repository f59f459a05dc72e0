/* What kind of body a request declares. Pure. */
#ifndef AFORO_SERVER_HTTP_CONTENT_H
#define AFORO_SERVER_HTTP_CONTENT_H

#include <stddef.h>

enum content {
    CONTENT_USUAL,     /* any other type: a form at /, lines at /events */
    CONTENT_JSON,      /* application/json: an object at /, an array of objects at /events */
    CONTENT_JSON_LINES /* application/x-ndjson: an object a line */
};

/* The out-of-line part of content_find. */
enum content content_compare(const char *type, size_t size);

/* The kind that a Content-Type of `size` bytes declares; NULL with size 0: there is none.
 * Parameters such as charset are ignored. One byte tells apart what nearly all clients send
 * (application/x-www-form-urlencoded). */
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
