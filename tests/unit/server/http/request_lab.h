/* Requests from the first call of the library to the answer, with real counters: what the programs
 * test_request_* share. The library's calls are our own here: they hand out what a test has put
 * into `client`, and keep what is answered. */
#ifndef AFORO_TESTS_REQUEST_LAB_H
#define AFORO_TESTS_REQUEST_LAB_H

#include "server/http/connection.h"
#include "server/http/request.h"

#include <check.h>
#include <netinet/in.h>

#define TIME "2016-05-28 11:11:11"     /* 500 us before the worker's clock */
#define IN_QUERY "2016-05-28T11:11:11" /* a target has no blank */
#define LATE "2016-05-28 11:11:01"
#define AHEAD "2016-05-28 12:11:11"

extern struct client {
    struct sockaddr_in address;
    int fd, other_end; /* the server's, the test's */
    struct connection *connection;
    struct {
        const char *name, *value;
    } header[8];
    char text[8][128];
    size_t headers;
    unsigned status; /* of the last answer; 0: none yet */
    unsigned answers;
    char body[4096];
} client;

extern struct options options;
extern struct server server;
extern struct worker worker;

/* Runs the tests, each with a server and a client of its own; main's exit status. */
int request_lab_run(const char *name, const TTest *const *tests, size_t n);

/* "Name: value" lines of the requests that follow; Host is there already. */
void set_headers(const char *const *lines, size_t n);

/* One request with the headers set before; a body comes in pieces of at most `piece` bytes. Returns
 * the status; 0: none was queued, and the connection ends. */
unsigned request(const char *method, const char *target, const char *body, size_t piece);

/* The same with the Content-Length of the body and up to one more header. */
unsigned post(const char *target, const char *body, size_t piece, const char *header);

struct shard_tally tally(void);

#endif
