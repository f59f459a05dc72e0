/* How long each phase of a connection may last. A client that sends or takes a byte now and then is
 * never silent, and would otherwise keep its connection for ever. By the worker's thread. */
#ifndef AFORO_SERVER_NET_DEADLINES_H
#define AFORO_SERVER_NET_DEADLINES_H

#include "server/options.h"

/* What the client has to do next. */
enum phase {
    PHASE_IDLE,    /* begin a request */
    PHASE_HEADERS, /* send the rest of the headers */
    PHASE_BODY,    /* send the body */
    PHASE_ANSWER,  /* take the answer */
    PHASE_FAREWELL /* see the answer that was sent before the end of the body (farewell.h) */
};

struct deadline {
    enum phase phase;
    int64_t since_us; /* steady clock: when the phase began */
    /* of the body, or of the answer, so far: each KiB of them adds time */
    uint64_t bytes;
    /* TCP's count of what the other side had taken, when the answer was first looked at */
    uint64_t acked_before;
    bool served; /* it has had an answer before, and may be idle */
};

/* The phase begins at now_us (steady clock). */
void deadline_enter(struct deadline *deadline, enum phase phase, int64_t now_us);

/* How long the phase may last in all, in us. Pure. */
int64_t deadline_limit_us(const struct deadline *deadline, const struct options *options);

/* Asks TCP how much of the answer was taken; the time runs from the first look. */
void deadline_note_taken(struct deadline *deadline, int fd, int64_t now_us);

/* Whether nothing has come from the client for silent_us. By what TCP tells, in ms. */
bool deadline_is_silent(int fd, int64_t silent_us);

/* Ends the connection, so that the library sees its end. An answer that the client has not taken is
 * discarded, not kept for a client that reads nothing. */
void deadline_cut(const struct deadline *deadline, int fd);

/* Bounds what a client that reads nothing costs the kernel. Set on the listening socket, whose
 * connections inherit it. */
void deadlines_set_socket(int listen_fd, const struct options *options);

#endif
