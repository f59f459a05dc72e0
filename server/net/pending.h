/* A pending connection: it was accepted, but its client has sent nothing so far. */
#ifndef AFORO_SERVER_NET_PENDING_H
#define AFORO_SERVER_NET_PENDING_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

struct pending {
    LIST_ENTRY(pending) entry;   /* of the acceptor that watches it */
    struct pending *next_handed; /* while it is handed off (handoff.h) */
    int fd;
    int64_t since_us; /* steady clock */
    socklen_t address_len;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address;
};

LIST_HEAD(pending_list, pending);

/* What the first bytes of a connection tell. */
enum pending_start {
    PENDING_SILENT, /* nothing has come yet */
    PENDING_ENDED,  /* the client has closed it, or it is broken */
    PENDING_SINGLE, /* any request but a batch */
    PENDING_BATCH   /* what needs room: POST /events, or a reader's long headers */
};

/* Looks at the first bytes without taking them from the socket; never blocks. */
enum pending_start pending_peek(int fd);

#endif
