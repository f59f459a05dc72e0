/* Requests from the first call of the library to the answer, over http_lab.h: what the programs
 * test_request_* share. The client is connected, and accepted by a worker with an acceptor. */
#ifndef AFORO_TESTS_REQUEST_LAB_H
#define AFORO_TESTS_REQUEST_LAB_H

#include "server/http/request.h"
#include "tests/unit/server/http/http_lab.h"

/* What the server has of the client. */
extern struct connection *connected;

/* Runs the tests, each with a server and a client of its own; main's exit status. */
int request_lab_run(const char *name, const TTest *const *tests, size_t n);

/* "Name: value" lines of the requests that follow; Host is there already. */
void set_headers(const char *const *lines, size_t n);

/* One request with the headers set before; a body comes in pieces of at most `piece` bytes. Returns
 * the status; 0: none was queued, and the connection ends. */
unsigned request(const char *method, const char *target, const char *body, size_t piece);

/* The same with the Content-Length of the body and up to one more header. */
unsigned post(const char *target, const char *body, size_t piece, const char *header);

#endif
