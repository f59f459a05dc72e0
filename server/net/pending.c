#define _GNU_SOURCE /* memmem */
#include "server/net/pending.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define LONG_HEADERS 1024
#define PEEKED 3072

/* Whether a reader's request begins with headers too long for a small pool, such as a browser sends
 * with its cookies; such a pool would not even have room for an answer. Over a network they arrive
 * in parts. */
static bool has_long_headers(int fd) {
    char bytes[PEEKED];
    const ssize_t n = recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    return n >= LONG_HEADERS && !memmem(bytes, (size_t)n, "\r\n\r\n", 4);
}

enum pending_start pending_peek(int fd) {
    static const char batch[] = "POST /events";
    char bytes[16];
    const ssize_t n = recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return PENDING_SILENT;
    }
    if (n <= 0) {
        return PENDING_ENDED;
    }
    if (n >= 4 && (memcmp(bytes, "GET ", 4) == 0 || memcmp(bytes, "HEAD", 4) == 0)) {
        return has_long_headers(fd) ? PENDING_BATCH : PENDING_SINGLE;
    }
    return (size_t)n >= sizeof batch - 1 && memcmp(bytes, batch, sizeof batch - 1) == 0
               ? PENDING_BATCH
               : PENDING_SINGLE;
}
