#define _GNU_SOURCE /* nftw */
#include "tests/redis/lab.h"

#include "tests/unit/check_main.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_TRIES 5
#define READY_MS 10000
#define COMMAND_S 10

static char lab_dir[LAB_PATH_MAX / 2];

int64_t lab_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void lab_sleep_ms(int64_t ms) {
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&rest, NULL);
}

static void make_dir(void) {
    const char *tmp = getenv("TMPDIR");
    signal(SIGPIPE, SIG_IGN);
    snprintf(lab_dir, sizeof lab_dir, "%.80s/aforo-redis-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(lab_dir)) {
        perror(lab_dir);
        exit(EXIT_FAILURE);
    }
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status, (void)kind, (void)where;
    return remove(path);
}

static void remove_dir(void) {
    lab_sleep_ms(100); /* servers of a test that failed are being killed; let them stop writing */
    nftw(lab_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int lab_run(Suite *suite) {
    make_dir();
    const int status = check_run(suite);
    remove_dir();
    return status;
}

int lab_free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* ---- processes ---- */

static void write_config(const struct lab_server *server) {
    char path[LAB_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/redis.conf", server->dir);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "bind 127.0.0.1\nport %d\ndir %s\nlogfile %s/log\nprotected-mode no\n",
            server->port, server->dir, server->dir);
    if (!server->sentinel) {
        fprintf(file, "save \"\"\nappendonly no\nunixsocket %s/socket\n", server->dir);
    }
    fprintf(file, "%s\n", server->settings);
    if (server->bus_port && strstr(server->settings, "cluster-enabled")) {
        fprintf(file, "cluster-port %d\n", server->bus_port);
    }
    ck_assert_int_eq(fclose(file), 0);
}

static void run_server(const struct lab_server *server) {
    char path[LAB_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/redis.conf", server->dir);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execlp("redis-server", "redis-server", path, server->sentinel ? "--sentinel" : (char *)NULL,
           (char *)NULL);
    _exit(127);
}

/* Waits until it answers; false when the process ended (its port was taken meanwhile). */
static bool wait_ready(struct lab_server *server) {
    const struct timeval timeout = {.tv_sec = COMMAND_S};
    for (const int64_t end = lab_now_ms() + READY_MS; lab_now_ms() < end; lab_sleep_ms(10)) {
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid) {
            server->pid = 0;
            return false;
        }
        redisContext *control = redisConnectWithTimeout("127.0.0.1", server->port, timeout);
        if (control && !control->err && redisSetTimeout(control, timeout) == REDIS_OK) {
            server->control = control;
            return true;
        }
        redisFree(control);
    }
    ck_abort_msg("redis-server on port %d does not answer", server->port);
    return false;
}

static bool try_start(struct lab_server *server) {
    write_config(server);
    server->pid = fork();
    ck_assert_int_ge(server->pid, 0);
    if (server->pid == 0) {
        run_server(server);
    }
    if (!wait_ready(server)) {
        return false;
    }
    if (*server->password) {
        lab_do(server, "AUTH %s", server->password);
    }
    return true;
}

static void start(struct lab_server *server, const char *settings, bool sentinel) {
    char password[sizeof server->password];
    memcpy(password, server->password, sizeof password);
    for (int i = 0; i < START_TRIES; i++) {
        *server = (struct lab_server){
            .port = lab_free_port(), .bus_port = lab_free_port(), .sentinel = sentinel};
        memcpy(server->password, password, sizeof password);
        snprintf(server->settings, sizeof server->settings, "%s", settings ? settings : "");
        snprintf(server->dir, sizeof server->dir, "%s/%d-%d", lab_dir, (int)getpid(), server->port);
        ck_assert(mkdir(server->dir, 0700) == 0 || errno == EEXIST);
        if (try_start(server)) {
            return;
        }
    }
    ck_abort_msg("redis-server does not start: see %s/log (is redis-server installed?)",
                 server->dir);
}

void lab_start(struct lab_server *server, const char *settings) {
    start(server, settings, false);
}

void lab_start_sentinel(struct lab_server *server, const char *settings) {
    start(server, settings, true);
}

void lab_restart(struct lab_server *server) {
    ck_assert_int_eq(server->pid, 0);
    for (int i = 0; i < START_TRIES; i++) {
        if (try_start(server)) {
            return;
        }
        lab_sleep_ms(100);
    }
    ck_abort_msg("redis-server does not start again on port %d", server->port);
}

void lab_kill(struct lab_server *server) {
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
    if (server->control) {
        redisFree(server->control);
    }
    server->pid = 0;
    server->control = NULL;
}

void lab_signal(const struct lab_server *server, int signal) {
    ck_assert_int_eq(kill(server->pid, signal), 0);
}

/* ---- commands ---- */

/* Sentinel closes the connections of a server whose role it changes: then once more. */
static redisReply *command(struct lab_server *server, const char *format, va_list words) {
    va_list again;
    va_copy(again, words);
    redisReply *reply = redisvCommand(server->control, format, words);
    if (!reply && server->control->err == REDIS_ERR_EOF &&
        redisReconnect(server->control) == REDIS_OK) {
        reply = redisvCommand(server->control, format, again);
    }
    va_end(again);
    ck_assert_msg(reply != NULL, "port %d: %s: %s", server->port, format, server->control->errstr);
    return reply;
}

redisReply *lab_command(struct lab_server *server, const char *format, ...) {
    va_list words;
    va_start(words, format);
    redisReply *reply = command(server, format, words);
    va_end(words);
    return reply;
}

void lab_do(struct lab_server *server, const char *format, ...) {
    va_list words;
    va_start(words, format);
    redisReply *reply = command(server, format, words);
    va_end(words);
    ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "port %d: %s: %s", server->port, format,
                  reply->str);
    freeReplyObject(reply);
}

long long lab_number(struct lab_server *server, const char *format, ...) {
    va_list words;
    va_start(words, format);
    redisReply *reply = command(server, format, words);
    va_end(words);
    ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "port %d: %s: %s", server->port, format,
                  reply->str);
    const long long n = reply->type == REDIS_REPLY_INTEGER  ? reply->integer
                        : reply->type == REDIS_REPLY_STRING ? atoll(reply->str)
                                                            : 0;
    freeReplyObject(reply);
    return n;
}

void lab_text(struct lab_server *server, char *buf, size_t cap, const char *format, ...) {
    va_list words;
    va_start(words, format);
    redisReply *reply = command(server, format, words);
    va_end(words);
    ck_assert_msg(reply->str != NULL, "port %d: %s: no text", server->port, format);
    snprintf(buf, cap, "%s", reply->str);
    freeReplyObject(reply);
}

/* ---- the proxy that loses replies ---- */

struct lab_proxy {
    int listener, to_port;
    _Atomic bool stopping, lose;
    pthread_t thread;
};

static int connect_to(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Passes on what has come; false at the end of the connection. */
static bool pass_on(int from, int to, bool lose) {
    char data[65536];
    const ssize_t n = read(from, data, sizeof data);
    for (ssize_t done = 0; n > 0 && !lose && done < n;) {
        const ssize_t written = write(to, data + done, (size_t)(n - done));
        if (written <= 0) {
            return false;
        }
        done += written;
    }
    return n > 0;
}

static void *proxy_main(void *cls) {
    struct lab_proxy *proxy = cls;
    int client = -1, server = -1;
    while (!proxy->stopping) {
        struct pollfd fds[] = {{.fd = client < 0 ? proxy->listener : client, .events = POLLIN},
                               {.fd = server, .events = POLLIN}};
        if (poll(fds, 2, 10) <= 0) {
            continue;
        }
        bool alive = true;
        if (client < 0) {
            client = accept(proxy->listener, NULL, NULL);
            server = connect_to(proxy->to_port);
            alive = client >= 0 && server >= 0;
        } else {
            alive = (!fds[0].revents || pass_on(client, server, false)) &&
                    (!fds[1].revents || pass_on(server, client, proxy->lose));
        }
        if (!alive) {
            close(client);
            close(server);
            client = server = -1;
        }
    }
    close(client);
    close(server);
    return NULL;
}

struct lab_proxy *lab_proxy_start(int to_port, int *port) {
    struct lab_proxy *proxy = calloc(1, sizeof *proxy);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    ck_assert_ptr_nonnull(proxy);
    proxy->to_port = to_port;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(bind(proxy->listener, (struct sockaddr *)&address, len) == 0 &&
              listen(proxy->listener, 8) == 0 &&
              getsockname(proxy->listener, (struct sockaddr *)&address, &len) == 0);
    *port = ntohs(address.sin_port);
    ck_assert_int_eq(pthread_create(&proxy->thread, NULL, proxy_main, proxy), 0);
    return proxy;
}

void lab_proxy_lose_replies(struct lab_proxy *proxy, bool lose) {
    proxy->lose = lose;
}

void lab_proxy_stop(struct lab_proxy *proxy) {
    proxy->stopping = true;
    pthread_join(proxy->thread, NULL);
    close(proxy->listener);
    free(proxy);
}
