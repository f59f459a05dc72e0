#include "server/net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
#define INHERITED_FD 3 /* the first inherited descriptor, by the protocol */

/* "[::1]:80" -> "::1", "80"; false when it is not of that form. */
static bool split_address(const char *text, char *host, size_t cap, const char **port) {
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
    const bool valid = split_address(text, host, sizeof host, &port) &&
                       strspn(port, "0123456789") == strlen(port) && strlen(port) <= 5 &&
                       atoi(port) <= UINT16_MAX;
    if (!valid) {
        snprintf(why, LISTEN_WHY_MAX,
                 "'%.100s' is not ADDR:PORT (as 127.0.0.1:8080, [::1]:8080, :8080)", text);
    }
    return valid;
}

/* Closes fd, preserving errno. Returns -1. */
static int close_failed(int fd) {
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* -1 with errno set when it cannot be opened. */
static int open_socket(const struct addrinfo *at) {
    const int on = 1;
    const int fd =
        socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol);
    if (fd < 0) {
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on)) {
        return close_failed(fd);
    }
    if (bind(fd, at->ai_addr, at->ai_addrlen)) {
        return close_failed(fd);
    }
    if (listen(fd, BACKLOG)) {
        return close_failed(fd);
    }
    return fd;
}

static void write_address(int fd, char *address) {
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    char host[64] = "?", port[16] = "?";
    if (getsockname(fd, (struct sockaddr *)&at, &len) == 0) {
        getnameinfo((struct sockaddr *)&at, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    }
    snprintf(address, LISTEN_ADDRESS_MAX, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

int listen_open(const char *text, char *address, char *why) {
    char host[64];
    const char *port;
    if (!listen_is_valid(text, why) || !split_address(text, host, sizeof host, &port)) {
        return -1;
    }
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    const int error = getaddrinfo(*host ? host : NULL, port, &hints, &found);
    if (error) {
        snprintf(why, LISTEN_WHY_MAX, "'%.100s': %s", text, gai_strerror(error));
        return -1;
    }
    const int fd = open_socket(found);
    if (fd < 0) {
        snprintf(why, LISTEN_WHY_MAX, "cannot listen on %.100s: %s%s", text, strerror(errno),
                 errno == EADDRINUSE ? "; another program has this port, choose another" : "");
    } else {
        write_address(fd, address);
    }
    freeaddrinfo(found);
    return fd;
}

/* -1 when there is no such option, for instance because the file is not a socket. */
static int read_option(int fd, int name) {
    int value = 0;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &len) ? -1 : value;
}

/* Sets up an inherited file like a listening socket of our own. Returns what is wrong with it, or
 * NULL. */
static const char *adopt_socket(int fd) {
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0) {
        return "is not open";
    }
    const int family = read_option(fd, SO_DOMAIN);
    if (family != AF_INET && family != AF_INET6) {
        return "is not an IPv4 or IPv6 socket";
    }
    if (read_option(fd, SO_TYPE) != SOCK_STREAM) {
        return "is not a stream socket";
    }
    if (read_option(fd, SO_ACCEPTCONN) != 1) {
        return "does not listen";
    }
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        return "cannot be closed on exec";
    }
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        return "cannot be made non-blocking";
    }
    return NULL;
}

enum listen_inherited listen_inherit(int *fd, char *address, char *why) {
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    const bool ours = pid && fds && atol(pid) == (long)getpid();
    const bool one = ours && strcmp(fds, "1") == 0;
    if (ours && !one) {
        snprintf(why, LISTEN_WHY_MAX,
                 "LISTEN_FDS is '%.20s': start aforod with one listening socket", fds);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (!one) {
        return ours ? LISTEN_UNUSABLE : LISTEN_NOT_INHERITED;
    }
    const char *fault = adopt_socket(INHERITED_FD);
    if (fault) {
        snprintf(why, LISTEN_WHY_MAX, "LISTEN_FDS: file %d %s; give a TCP socket that listens",
                 INHERITED_FD, fault);
        return LISTEN_UNUSABLE;
    }
    write_address(INHERITED_FD, address);
    *fd = INHERITED_FD;
    return LISTEN_INHERITED;
}
