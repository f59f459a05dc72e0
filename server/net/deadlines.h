/* How long a connection may keep us waiting: a client that sends, or takes, a byte now and then is
 * never silent, and would hold its place for ever. By the worker's thread. */
#ifndef AFORO_SERVER_NET_DEADLINES_H
#define AFORO_SERVER_NET_DEADLINES_H

#include "server/options.h"

/* What the other side owes us: a request; the rest of its headers; its body; to take our answer; to
 * see an answer that came before the end of its body (farewell.h). */
enum phase { PHASE_IDLE, PHASE_HEADERS, PHASE_BODY, PHASE_ANSWER, PHASE_FAREWELL };

struct deadline {
    enum phase phase;
    int64_t since_us; /* steady clock: when the phase began */
    /* of the body, or of the answer, so far: a body that moves has more time */
    uint64_t bytes;
    /* TCP's count of what the other side had taken, when the answer was first looked at */
    uint64_t acked_before;
    bool served; /* had an answer before: may be idle */
};

/* The phase begins at now_us (steady clock). */
void deadline_enter(struct deadline *deadline, enum phase phase, int64_t now_us);

/* How long the phase may last in all, in us. Pure. */
int64_t deadline_limit_us(const struct deadline *deadline, const struct options *options);

/* Asks TCP how much of the answer was taken; the time runs from the first look. */
void deadline_note_taken(struct deadline *deadline, int fd, int64_t now_us);

/* Ends the connection, so that the library sees its end. What was not taken is thrown away, not
 * kept for a client that reads nothing. */
void deadline_cut(const struct deadline *deadline, int fd);

/* Bounds what a connection that reads nothing costs the kernel. On the listening socket, whose
 * connections inherit it. */
void deadlines_set_socket(int listen_fd, const struct options *options);

#endif
