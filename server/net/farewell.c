#include "server/net/farewell.h"

#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define HEAD_MAX 512

/* Sends everything at once or fails: it must fit into the socket's empty buffer. flags: MSG_MORE if
 * more follows immediately, so that head and text leave in one segment. */
static bool send_all(int fd, gnutls_session_t session, const char *bytes, size_t len, int flags) {
    const ssize_t sent = session ? gnutls_record_send(session, bytes, len)
                                 : send(fd, bytes, len, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent == (ssize_t)len;
}

bool farewell_send(struct MHD_Connection *connection, const struct farewell *farewell) {
    char head[HEAD_MAX];
    const int fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const union MHD_ConnectionInfo *tls =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    gnutls_session_t session = tls ? tls->tls_session : NULL;
    const size_t size = strlen(farewell->text);
    const int len =
        snprintf(head, sizeof head,
                 "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Type: %s\r\n"
                 "%s%s%s%sContent-Length: %zu\r\n\r\n",
                 farewell->status, MHD_get_reason_phrase_for(farewell->status), farewell->type,
                 farewell->header ? farewell->header : "", farewell->header ? ": " : "",
                 farewell->header ? farewell->value : "", farewell->header ? "\r\n" : "", size);
    if (len >= HEAD_MAX || !send_all(fd, session, head, (size_t)len, MSG_MORE) ||
        !send_all(fd, session, farewell->text, size, 0)) {
        return false;
    }
    if (session) {
        gnutls_bye(session, GNUTLS_SHUT_WR);
    }
    return shutdown(fd, SHUT_WR) == 0;
}
