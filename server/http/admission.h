/* The access check, and the other reasons to refuse a request before its body is read. By the
 * worker's thread. */
#ifndef AFORO_SERVER_HTTP_ADMISSION_H
#define AFORO_SERVER_HTTP_ADMISSION_H

#include "server/http/connection.h"
#include "server/net/framing.h"

/* Checks a request whose headers have arrived: its client's rate, its token, its headers. Returns
 * ANSWER_NONE if it is admitted, else the answer that refuses it; the refusal is counted then. */
enum answer admission_check(struct connection *connection, const struct framing *framing);

#endif
