/* What the tests of single sources in server/http share: a worker with real counters, and one
 * client. The library's calls are our own here: they hand out what a test has put into `client`,
 * and keep what is answered. */
#ifndef AFORO_TESTS_HTTP_LAB_H
#define AFORO_TESTS_HTTP_LAB_H

#include "server/http/connection.h"
#include "tests/unit/state_dir.h"

#include <check.h>
#include <netinet/in.h>

#define HTTP_LAB_TEST_S 100
#define NOW_US (T0 + 500)
#define TIME "2016-05-28 11:11:11"     /* 500 us before the worker's clock */
#define IN_QUERY "2016-05-28T11:11:11" /* a target has no blank */
#define LATE "2016-05-28 11:11:01"
#define AHEAD "2016-05-28 12:11:11"

struct MHD_Response {
    char *text;
    char headers[512]; /* "Name: value\n" */
    MHD_ContentReaderCallback read;
    MHD_ContentReaderFreeCallback free;
    void *cls;
    size_t block;
};

extern struct client {
    struct sockaddr_in address;
    int fd, other_end;            /* the server's, the test's */
    void *session;                /* of TLS; NULL: without */
    struct connection connection; /* with what connections.c would have set */
    void *context;                /* of the socket, as connections.c has set it */
    struct {
        enum MHD_ValueKind kind;
        const char *name, *value;
    } field[8];
    size_t fields;
    /* of the last answer */
    unsigned status; /* 0: none yet */
    unsigned answers;
    struct MHD_Response *response; /* to be compared only: it may be freed */
    char headers[512];
    char body[65536];
} client;

extern bool lab_out_of_memory; /* no response can be made */
extern unsigned lab_responses; /* made and not destroyed */
extern struct options options;
extern struct server server;
extern struct worker worker;

/* Before and after each test: a worker and its client. */
void http_lab_set_up(void);
void http_lab_tear_down(void);

/* Runs the tests, each with a worker and a client of its own; main's exit status. */
int http_lab_run(const char *name, const TTest *const *tests, size_t n);

/* One more field of the request: a header, or an argument of the query. */
void set_field(enum MHD_ValueKind kind, const char *name, const char *value);

/* All of a response's body, as the library would read it, NUL-terminated; for the caller to free.
 */
char *read_response(struct MHD_Response *response);

/* What the client has been sent without the library, until now; valid until the next call. */
const char *receive(void);

struct shard_tally tally(void);

#define HTTP_LAB_MAIN(name, ...)                                                                   \
    int main(void) {                                                                               \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return http_lab_run(name, tests, sizeof tests / sizeof tests[0]);                          \
    }

#endif
