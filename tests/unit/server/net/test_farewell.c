/* The library's calls, and those of TLS, are our own here. */
#include "server/net/farewell.h"

#include "tests/unit/check_main.h"

#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fds[2]; /* the server's, the client's */
static bool has_tls;
static char session[1]; /* only its address is used */
static char sent_by_tls[4096];
static unsigned byes;

const union MHD_ConnectionInfo *MHD_get_connection_info(struct MHD_Connection *mhd,
                                                        enum MHD_ConnectionInfoType type, ...) {
    static union MHD_ConnectionInfo told[2];
    (void)mhd;
    if (type == MHD_CONNECTION_INFO_CONNECTION_FD) {
        told[0].connect_fd = fds[0];
        return &told[0];
    }
    ck_assert_int_eq(type, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    told[1].tls_session = session;
    return has_tls ? &told[1] : NULL;
}

ssize_t gnutls_record_send(gnutls_session_t of, const void *data, size_t size) {
    ck_assert_ptr_eq(of, session);
    ck_assert_uint_eq(byes, 0);
    strncat(sent_by_tls, data, size);
    return (ssize_t)size;
}

int gnutls_bye(gnutls_session_t of, gnutls_close_request_t how) {
    ck_assert_ptr_eq(of, session);
    ck_assert_int_eq(how, GNUTLS_SHUT_WR);
    byes++;
    return GNUTLS_E_SUCCESS;
}

static void open_pair(void) {
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
}

static void close_pair(void) {
    close(fds[0]);
    close(fds[1]);
}

/* All that came, up to the end of the server's side. */
static const char *receive_all(void) {
    static char got[4096];
    size_t len = 0;
    for (ssize_t n = 1; n > 0; len += (size_t)n) {
        n = recv(fds[1], got + len, sizeof got - 1 - len, MSG_DONTWAIT);
        ck_assert_int_ge(n, 0);
    }
    got[len] = '\0';
    return got;
}

static const struct farewell with_header = {413, "text/plain", "too large\n", "Retry-After", "1"};
#define SAID                                                                                       \
    "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Type: text/plain\r\n"          \
    "Retry-After: 1\r\nContent-Length: 10\r\n\r\ntoo large\n"

START_TEST(it_is_a_whole_answer_and_the_end) {
    const struct farewell bare = {400, "application/json", "{}", NULL, NULL};
    open_pair();
    ck_assert(farewell_send(NULL, &with_header));
    ck_assert_str_eq(receive_all(), SAID);
    ck_assert_int_eq(send(fds[1], "x", 1, MSG_NOSIGNAL), 1); /* the client may go on */
    close_pair();
    open_pair();
    ck_assert(farewell_send(NULL, &bare));
    ck_assert_str_eq(receive_all(),
                     "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                     "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    close_pair();
}
END_TEST

START_TEST(with_tls_the_session_ends_first) {
    has_tls = true;
    open_pair();
    ck_assert(farewell_send(NULL, &with_header));
    ck_assert_str_eq(sent_by_tls, SAID);
    ck_assert_uint_eq(byes, 1);
    ck_assert_str_eq(receive_all(), ""); /* nothing in the clear */
    close_pair();
}
END_TEST

START_TEST(to_a_client_that_left_nothing_can_be_sent) {
    open_pair();
    close(fds[1]);
    ck_assert(!farewell_send(NULL, &with_header)); /* and no SIGPIPE */
    close(fds[0]);
}
END_TEST

START_TEST(it_never_waits) {
    static const char block[4096];
    open_pair();
    while (send(fds[0], block, sizeof block, MSG_DONTWAIT) > 0) {
    }
    ck_assert(!farewell_send(NULL, &with_header));
    close_pair();
}
END_TEST

/* A head of `len` bytes at 512 and more does not fit. */
START_TEST(a_head_that_does_not_fit_is_not_cut) {
    char type[512];
    const size_t around = strlen("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: "
                                 "\r\nContent-Length: 1\r\n\r\n");
    for (size_t len = 510; len <= 513; len++) {
        memset(type, 'x', sizeof type);
        type[len - around] = '\0';
        const struct farewell farewell = {400, type, "y", NULL, NULL};
        open_pair();
        ck_assert_int_eq(farewell_send(NULL, &farewell), len < 512);
        shutdown(fds[0], SHUT_WR);
        ck_assert_uint_eq(strlen(receive_all()), len < 512 ? len + 1 : 0);
        close_pair();
    }
}
END_TEST

CHECK_MAIN("farewell", it_is_a_whole_answer_and_the_end, with_tls_the_session_ends_first,
           to_a_client_that_left_nothing_can_be_sent, it_never_waits,
           a_head_that_does_not_fit_is_not_cut)
