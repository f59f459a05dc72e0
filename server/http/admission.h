/* The access check, and what else is said against a request before its body. By the worker's
 * thread. */
#ifndef AFORO_SERVER_HTTP_ADMISSION_H
#define AFORO_SERVER_HTTP_ADMISSION_H

#include "server/http/connection.h"
#include "server/net/framing.h"

/* Checks a request whose headers have come: its client's rate, its token, its headers. Returns the
 * answer that refuses it, which is counted then; ANSWER_NONE: it is admitted. */
enum answer admission_check(struct connection *connection, const struct framing *framing);

#endif
