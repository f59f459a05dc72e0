#include "server/http/daemon.h"

#include "counters/time/window.h"
#include "server/http/connections.h"
#include "server/http/request.h"
#include "server/net/framing.h"
#include "server/net/tls.h"
#include "server/process/log.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* bytes: the library's record of an argument, and a share for headers */
#define POOL_OF_ARGUMENT 102

__attribute__((format(printf, 2, 0))) static void log_library(void *cls, const char *format,
                                                              va_list args) {
    (void)cls;
    char text[256], quoted[300];
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = '\0';
    log_line(LOG_DEBUG, "libmicrohttpd", "text=%s", log_quote(text, quoted, sizeof quoted));
}

/* The size of the library's pool for a connection, which is cleared for every request: the headers
 * and one read of the body must fit. For the headers the library needs a third more than
 * --max-header; for a reader's, which may include cookies, it also needs room for a copy of these
 * and a record for each. */
static size_t measure_pool(const struct worker *worker, enum pool pool) {
    static const size_t least[POOLS] = {
        [POOL_SINGLE] = (size_t)4 * 1024, [POOL_BATCH] = (size_t)64 * 1024};
    const size_t most = worker_max_header(worker);
    const size_t headers = worker_only_reads(worker) ? 4 * most : most + most / 3;
    return headers > least[pool] ? headers : least[pool];
}

unsigned daemon_most_arguments(const struct worker *worker) {
    return (unsigned)(measure_pool(worker, POOL_SINGLE) / POOL_OF_ARGUMENT);
}

/* Later versions of the library lock what several threads may use, and keep a new connection back
 * until the next MHD_run. Here a daemon belongs to one thread. */
#if MHD_VERSION >= 0x00097707
#define ONE_THREAD MHD_USE_NO_THREAD_SAFETY
#else
#define ONE_THREAD 0U
#endif

struct MHD_Daemon *daemon_start(struct worker *worker, enum pool pool) {
    const bool tls = worker->server->access.identity;
    static struct MHD_OptionItem no_tls[] = {{MHD_OPTION_END, 0, NULL}};
    /* Where framing.h sees the bytes, it refuses more than the library's strict mode does, and
     * answers, whereas the library closes without an answer or answers twice. */
    const int strict = framing_sees_lines() ? 0 : 1;
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_SUPPRESS_DATE_NO_CLOCK |
            MHD_USE_ERROR_LOG | ONE_THREAD | (tls ? MHD_USE_TLS : 0U),
        0, NULL, NULL, request_handle, worker, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_CONNECTION_LIMIT, UINT_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        measure_pool(worker, pool), MHD_OPTION_NOTIFY_CONNECTION, connections_notify, worker,
        MHD_OPTION_NOTIFY_COMPLETED, request_complete, worker, MHD_OPTION_URI_LOG_CALLBACK,
        request_read_target, worker, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_STRICT_FOR_CLIENT, strict, MHD_OPTION_ARRAY, tls ? tls_options : no_tls,
        MHD_OPTION_END);
}
