#include "server/net/pending.h"

#include <errno.h>
#include <string.h>

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
    return (size_t)n >= sizeof batch - 1 && memcmp(bytes, batch, sizeof batch - 1) == 0
               ? PENDING_BATCH
               : PENDING_SINGLE;
}
