/* How long each phase of a connection may last. A client that sends or takes a byte now and then is
 * never silent, and could otherwise keep its connection for ever. By the worker's thread. */
#ifndef AFORO_SERVER_NET_DEADLINES_H
#define AFORO_SERVER_NET_DEADLINES_H

#include "server/options.h"

/* What the client has to do next. */
enum phase {
    PHASE_IDLE,    /* begin a request */
    PHASE_HEADERS, /* send the rest of the headers */
    PHASE_BODY,    /* send the body */
    PHASE_ANSWER,  /* take the answer */
    PHASE_FAREWELL /* see the answer sent before the end of its body (farewell.h) */
};

struct deadline {
    enum phase phase;
    int64_t since_us; /* steady clock: when the phase began */
    /* bytes of the body or of the answer so far; each KiB adds time */
    uint64_t bytes;
    /* TCP's count of acknowledged bytes when the answer was first examined, plus 1; 0: not yet */
    uint64_t acked_before;
    bool served; /* the connection has had an answer before, so it may be idle */
};

/* Begins a phase at now_us (steady clock). */
void deadline_enter(struct deadline *deadline, enum phase phase, int64_t now_us);

/* How long the phase may last in total, in us. Pure. */
int64_t deadline_limit_us(const struct deadline *deadline, const struct options *options);

/* Asks TCP how much of the answer was taken; the phase counts from the first such question. */
void deadline_note_taken(struct deadline *deadline, int fd, int64_t now_us);

/* Whether nothing has come from the client for silent_us, by TCP's own measure, which is in ms;
 * also true when TCP cannot be asked. */
bool deadline_is_silent(int fd, int64_t silent_us);

/* Shuts the connection down, so that the library sees its end. What the client has not taken of an
 * answer is discarded rather than kept for a client that reads nothing. */
void deadline_cut(const struct deadline *deadline, int fd);

/* Bounds what a client that reads nothing costs the kernel. It is set on the listening socket;
 * connections inherit it. */
void deadlines_set_socket(int listen_fd, const struct options *options);

#endif
