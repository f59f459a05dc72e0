#define _GNU_SOURCE /* accept4 */
#include "server/door.h"

#include "server/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 4 /* a burst is shared by the workers, who all see it */
#define EVENTS_A_TURN 64
#define BATCH_CONNECTIONS_MAX 256 /* of a worker: 16 MiB of pools; who comes after these reads in smaller pieces */

/* Accepted, and silent so far. */
struct guest {
    struct guest *next, *previous;
    int fd;
    int64_t since_us; /* steady clock */
    socklen_t address_len;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address;
};

struct door {
    struct worker *worker;
    int epoll_fd;
    int listen_fd; /* -1 when shut */
    int spare_fd;  /* given up for a moment when there are no more, to refuse somebody instead of leaving him waiting */
    bool paused;   /* not even that helped: the next tick tries again */
    struct guest *first;
};

static bool watch(const struct door *door, int fd, uint32_t events, void *what) {
    struct epoll_event event = {.events = events, .data.ptr = what};
    return epoll_ctl(door->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static int spare(void) {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

struct door *door_open(struct worker *worker, int listen_fd) {
    struct door *door = calloc(1, sizeof *door);
    if (!door) {
        return NULL;
    }
    door->worker = worker;
    door->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    door->listen_fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
    door->spare_fd = spare();
    if (door->epoll_fd < 0 || door->listen_fd < 0 || !watch(door, door->listen_fd, EPOLLIN, NULL)) {
        const int error = errno;
        door_close(door);
        errno = error;
        return NULL;
    }
    return door;
}

int door_fd(const struct door *door) {
    return door->epoll_fd;
}

/* ---- in and out -------------------------------------------------------------------------------------------------------- */

static void count_opened(struct worker *worker) {
    const uint64_t open = atomic_load_explicit(&worker->connections, memory_order_relaxed);
    atomic_store_explicit(&worker->connections, open + 1, memory_order_relaxed);
    metric_add_owner(&worker->metrics, METRIC_connections_opened, 1);
}

static void count_closed(struct worker *worker) {
    const uint64_t open = atomic_load_explicit(&worker->connections, memory_order_relaxed);
    atomic_store_explicit(&worker->connections, open - 1, memory_order_relaxed);
    metric_add_owner(&worker->metrics, METRIC_connections_closed, 1);
}

static void guest_free(struct door *door, struct guest *guest) {
    *(guest->previous ? &guest->previous->next : &door->first) = guest->next;
    if (guest->next) {
        guest->next->previous = guest->previous;
    }
    free(guest);
}

static void guest_leaves(struct door *door, struct guest *guest) {
    close(guest->fd);
    count_closed(door->worker);
    guest_free(door, guest);
}

/* ---- the first bytes ----------------------------------------------------------------------------------------------------- */

static enum pool pool_of(const struct worker *worker, const char *bytes, size_t n) {
    static const char batch[] = "POST /events";
    if (n < sizeof batch - 1 || memcmp(bytes, batch, sizeof batch - 1) != 0) {
        return POOL_SINGLE;
    }
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(worker->daemon[POOL_BATCH], MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info && info->num_connections < BATCH_CONNECTIONS_MAX ? POOL_BATCH : POOL_SINGLE;
}

/* Who has said something is handed on. False when nothing has been said yet. */
static bool listen_to(struct door *door, struct guest *guest) {
    struct worker *worker = door->worker;
    char bytes[16];
    const ssize_t n = recv(guest->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (n <= 0) {
        guest_leaves(door, guest);
        return true;
    }
    struct MHD_Daemon *daemon = worker->daemon[pool_of(worker, bytes, (size_t)n)];
    const uint64_t handed_on = worker->handed_on;
    if (MHD_add_connection(daemon, guest->fd, &guest->address.any, guest->address_len) != MHD_YES &&
        worker->handed_on == handed_on) { /* the library closed it without a word to http_connection */
        count_closed(worker);
    }
    guest_free(door, guest);
    return true;
}

/* ---- accept ---------------------------------------------------------------------------------------------------------------- */

/* Ours is for all threads together; the library's own limit, per daemon, would leave who comes too late in the backlog,
 * waiting for an answer that never comes. */
static bool has_room(const struct server *server) {
    uint64_t open = 0;
    for (unsigned i = 0; i < server->workers; i++) {
        open += atomic_load_explicit(&server->worker[i].connections, memory_order_relaxed);
    }
    return open < (uint64_t)server->options->max_connections;
}

static void refuse(struct door *door, int fd) {
    close(fd);
    metric_add_owner(&door->worker->metrics, METRIC_connections_refused, 1);
}

/* No descriptor is left. A connection that nobody accepts keeps the listen socket readable: a busy loop. So one is taken
 * with the spare descriptor and closed; when another thread was faster, we look away until the next tick. */
static void refuse_without_descriptor(struct door *door) {
    if (door->spare_fd >= 0) {
        close(door->spare_fd);
    }
    const int fd = accept4(door->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        refuse(door, fd);
    }
    door->spare_fd = spare();
    if (fd < 0 || door->spare_fd < 0) {
        door->paused = epoll_ctl(door->epoll_fd, EPOLL_CTL_DEL, door->listen_fd, NULL) == 0;
        log_line(LOG_WARN, "no file descriptor is left for connections", "worker=%u remedy=%s", door->worker->index,
                 "\"raise the limit on open files (ulimit -n, LimitNOFILE), or lower --max-connections\"");
    }
}

static void let_in(struct door *door, int fd, const struct guest *template) {
    struct guest *guest = has_room(door->worker->server) ? malloc(sizeof *guest) : NULL;
    if (!guest) {
        refuse(door, fd);
        return;
    }
    *guest = *template;
    guest->fd = fd;
    guest->since_us = atomic_load_explicit(&door->worker->alive_us, memory_order_relaxed);
    guest->next = door->first;
    guest->previous = NULL;
    if (guest->next) {
        guest->next->previous = guest;
    }
    door->first = guest;
    count_opened(door->worker);
    /* Once: when it speaks, it goes; closing it ends the watch. */
    if (!listen_to(door, guest) && !watch(door, fd, EPOLLIN | EPOLLONESHOT, guest)) {
        guest_leaves(door, guest);
    }
}

static void accept_some(struct door *door) {
    for (int i = 0; i < ACCEPTS_A_TURN && door->listen_fd >= 0; i++) {
        struct guest guest = {.address_len = sizeof guest.address};
        const int fd = accept4(door->listen_fd, &guest.address.any, &guest.address_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            let_in(door, fd, &guest);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            refuse_without_descriptor(door);
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

/* ---- the worker's calls --------------------------------------------------------------------------------------------------- */

void door_turn(struct door *door) {
    struct epoll_event events[EVENTS_A_TURN];
    const int n = epoll_wait(door->epoll_fd, events, EVENTS_A_TURN, 0);
    for (int i = 0; i < n; i++) {
        struct guest *guest = events[i].data.ptr;
        if (!guest) {
            accept_some(door);
        } else if (!listen_to(door, guest)) {
            struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = guest};
            epoll_ctl(door->epoll_fd, EPOLL_CTL_MOD, guest->fd, &again);
        }
    }
}

void door_tick(struct door *door, int64_t now_us) {
    const int64_t idle_us = door->worker->server->options->idle_timeout;
    for (struct guest *guest = door->first, *next; guest; guest = next) {
        next = guest->next;
        if (now_us - guest->since_us > idle_us) {
            guest_leaves(door, guest);
        }
    }
    if (door->paused && door->listen_fd >= 0) {
        door->spare_fd = door->spare_fd < 0 ? spare() : door->spare_fd;
        door->paused = !watch(door, door->listen_fd, EPOLLIN, NULL);
    }
}

void door_shut(struct door *door) {
    if (door->listen_fd >= 0) {
        epoll_ctl(door->epoll_fd, EPOLL_CTL_DEL, door->listen_fd, NULL); /* it lives on in its duplicates */
        close(door->listen_fd);
        door->listen_fd = -1;
    }
}

void door_close(struct door *door) {
    if (!door) {
        return;
    }
    while (door->first) {
        guest_leaves(door, door->first);
    }
    door_shut(door);
    if (door->spare_fd >= 0) {
        close(door->spare_fd);
    }
    if (door->epoll_fd >= 0) {
        close(door->epoll_fd);
    }
    free(door);
}
