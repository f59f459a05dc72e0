#define _GNU_SOURCE /* memmem */
#include "server/net/pending.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define LONG_HEADERS 1024
#define PEEKED 3072

/* Whether a request that reads begins with headers that a small pool has no room for, as a browser
 * sends them with its cookies: it could not even be told so. Over a network they come in parts. */
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
