/* Any bytes as what a Redis answers to a TLS handshake: it ends, with a sentence, and no bytes of
 * ours are read or written beyond their place. GnuTLS is the real one, over a socket whose other
 * end has written the answer already. The input: the host's name up to a LF, as a Sentinel or a
 * cluster may have named it, then the answer. */
#include "redis/tls.h"
#include "tests/fuzz/check.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE_MAX_SENT 60000
#define STEPS_MAX 20000 /* an answer is no more records than that, of three bytes each */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_why(const char *why) {
    check(*why && strnlen(why, REDIS_TLS_WHY_MAX) < REDIS_TLS_WHY_MAX);
    for (; *why; why++) {
        check(*why >= ' ' && *why <= '~');
    }
}

/* A socket that has received all of the answer, and then its end. */
static int connect_to(const uint8_t *answer, size_t len, int *peer) {
    int ends[2];
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    check(send(ends[1], answer, len, MSG_NOSIGNAL) == (ssize_t)len);
    check(shutdown(ends[1], SHUT_WR) == 0);
    *peer = ends[1];
    return ends[0];
}

static void shake_hands(struct redis_tls *tls) {
    char why[REDIS_TLS_WHY_MAX] = "", bytes[16];
    enum redis_tls_step step = REDIS_TLS_WAITS;
    for (int steps = 0; step == REDIS_TLS_WAITS; steps++) {
        check(steps < STEPS_MAX);
        step = redis_tls_shake_hands(tls);
        check(redis_tls_events(tls) != 0);
    }
    /* Nobody has the key of a session that was invented before it began. */
    check(step == REDIS_TLS_FAILED);
    check(redis_tls_explain(tls, false, why));
    check_why(why);
    check(redis_tls_explain(tls, true, why));
    check_why(why);
    size_t n = 0;
    check(redis_tls_read(tls, bytes, sizeof bytes, &n) != REDIS_TLS_DONE && n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct redis_tls_options options = {.verify = REDIS_TLS_VERIFY_OFF};
    char host[REDIS_URL_PART_MAX] = "", why[REDIS_TLS_WHY_MAX] = "";
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    const size_t host_len = end ? (size_t)(end - data) : 0;
    if (!end || host_len >= sizeof host || size > SIZE_MAX_SENT) {
        return 0;
    }
    memcpy(host, data, host_len);
    int peer;
    const int fd = connect_to(end + 1, size - host_len - 1, &peer);
    struct redis_tls *tls = redis_tls_new(&options, host, fd, why);
    if (tls) {
        shake_hands(tls);
    } else {
        check_why(why);
    }
    redis_tls_free(tls);
    close(fd);
    close(peer);
    return 0;
}
