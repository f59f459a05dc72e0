#include "server/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096

/* "[::1]:80" -> "::1", "80"; false when it is not of that form. */
static bool split(const char *text, char *host, size_t cap, const char **port) {
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    if (!colon || !colon[1] || n >= cap) {
        return false;
    }
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    } else if (memchr(text, ':', n)) {
        return false;
    }
    memcpy(host, text, n);
    host[n] = '\0';
    *port = colon + 1;
    return true;
}

bool listen_is_valid(const char *text, char *why) {
    char host[64];
    const char *port;
    const bool valid = split(text, host, sizeof host, &port) && strspn(port, "0123456789") == strlen(port) &&
                       strlen(port) <= 5 && atoi(port) <= UINT16_MAX;
    if (!valid) {
        snprintf(why, LISTEN_WHY_MAX, "'%.100s' is not ADDR:PORT (as 127.0.0.1:8080, [::1]:8080, :8080)", text);
    }
    return valid;
}

static int open_at(const struct addrinfo *at) {
    const int on = 1;
    const int fd = socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) {
        return fd;
    }
    const int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = error;
    return -1;
}

static void name_of(int fd, char *address) {
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    char host[64] = "?", port[16] = "?";
    if (getsockname(fd, (struct sockaddr *)&at, &len) == 0) {
        getnameinfo((struct sockaddr *)&at, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    }
    snprintf(address, LISTEN_ADDRESS_MAX, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

int listen_open(const char *text, char *address, char *why) {
    char host[64];
    const char *port;
    if (!listen_is_valid(text, why) || !split(text, host, sizeof host, &port)) {
        return -1;
    }
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    const int error = getaddrinfo(*host ? host : NULL, port, &hints, &found);
    if (error) {
        snprintf(why, LISTEN_WHY_MAX, "'%.100s': %s", text, gai_strerror(error));
        return -1;
    }
    const int fd = open_at(found);
    if (fd < 0) {
        snprintf(why, LISTEN_WHY_MAX, "cannot listen on %.100s: %s%s", text, strerror(errno),
                 errno == EADDRINUSE ? "; another program has this port, choose another" : "");
    } else {
        name_of(fd, address);
    }
    freeaddrinfo(found);
    return fd;
}
