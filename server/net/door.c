#define _GNU_SOURCE /* accept4 */
#include "server/net/door.h"

#include "server/net/deadlines.h"
#include "server/process/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 4 /* a burst is shared by the workers, who all see it */
#define EVENTS_A_TURN 64
#define WARN_EVERY_US (60 * US_PER_S)
#define BACKLOG_MAX 8192 /* more than waits in a backlog */
/* of --admin-listen, whatever --max-connections is: neither takes the other's places */
#define ADMIN_CONNECTIONS_MAX 256
/* of a worker: 16 MiB of pools; who comes after these reads in smaller pieces */
#define BATCH_CONNECTIONS_MAX 256

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
    /* given up for a moment when there are no more, to refuse somebody instead of leaving him
     * waiting */
    int spare_fd;
    bool paused; /* not even that helped: the next tick tries again */
    int bell_fd; /* eventfd: rung by who puts somebody into the inbox */
    /* passed on by other workers, linked by next; &nobody: they have to keep him */
    _Atomic(struct guest *) inbox;
    struct guest *first;
};

static struct guest nobody;

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
    door->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    door->listen_fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
    door->spare_fd = spare();
    deadlines_of_socket(listen_fd, worker->server->options);
    if (door->epoll_fd < 0 || door->listen_fd < 0 || door->bell_fd < 0 ||
        !watch(door, door->listen_fd, EPOLLIN, NULL) ||
        !watch(door, door->bell_fd, EPOLLIN, &nobody)) {
        const int error = errno;
        door_free(door);
        errno = error;
        return NULL;
    }
    return door;
}

int door_fd(const struct door *door) {
    return door->epoll_fd;
}

/* ---- in and out ---- */

static _Atomic uint64_t *places_taken(const struct worker *worker) {
    struct server *server = worker->server;
    return worker == server->admin ? &server->admin_places_taken : &server->places_taken;
}

void door_count_closed(struct worker *worker, const struct sockaddr *address) {
    address_places_release(worker->server->address_places, address);
    atomic_fetch_sub_explicit(&worker->connections, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(places_taken(worker), 1, memory_order_relaxed);
    metric_add_owner(&worker->metrics, METRIC_connections_closed, 1);
}

static void guest_free(struct door *door, struct guest *guest) {
    *(guest->previous ? &guest->previous->next : &door->first) = guest->next;
    if (guest->next) {
        guest->next->previous = guest->previous;
    }
    free(guest);
}

static void note_closed(const struct door *door, const struct sockaddr *address, const char *why) {
    char client[LOG_ADDRESS_MAX];
    if (log_is_on(LOG_DEBUG)) {
        log_line(LOG_DEBUG, "connection closed", "worker=%u client=%s why=\"%s\"",
                 door->worker->index, log_address(address, client), why);
    }
}

static void guest_leaves(struct door *door, struct guest *guest, const char *why) {
    note_closed(door, &guest->address.any, why);
    close(guest->fd);
    door_count_closed(door->worker, &guest->address.any);
    guest_free(door, guest);
}

/* ---- the first bytes ---- */

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
        guest_leaves(door, guest, "the client left without a word");
        return true;
    }
    struct MHD_Daemon *daemon = worker->daemon[pool_of(worker, bytes, (size_t)n)];
    const uint64_t handed_on = worker->handed_on;
    if (MHD_add_connection(daemon, guest->fd, &guest->address.any, guest->address_len) != MHD_YES &&
        /* the library closed it without a word to http_connection */
        worker->handed_on == handed_on) {
        door_count_closed(worker, &guest->address.any);
    }
    guest_free(door, guest);
    return true;
}

/* ---- accept ---- */

/* Ours is for all threads together; the library's own limit, per daemon, would leave who comes too
 * late in the backlog, waiting for an answer that never comes. */
static uint64_t places(const struct worker *worker) {
    const struct server *server = worker->server;
    return worker == server->admin ? ADMIN_CONNECTIONS_MAX
                                   : (uint64_t)server->options->max_connections;
}

static bool take_place(const struct worker *worker) {
    const uint64_t most = places(worker);
    if (atomic_fetch_add_explicit(places_taken(worker), 1, memory_order_relaxed) < most) {
        return true;
    }
    atomic_fetch_sub_explicit(places_taken(worker), 1, memory_order_relaxed);
    return false;
}

/* n more found no place. The first is told at once, and what follows once a minute. */
static void warn_of_full(struct door *door, uint64_t n) {
    struct worker *worker = door->worker;
    struct server *server = worker->server;
    const bool admin = worker == server->admin;
    const uint64_t refused =
        log_gate_add(admin ? &server->admin_places_full : &server->places_full, n,
                     atomic_load_explicit(&worker->alive_us, memory_order_relaxed), WARN_EVERY_US);
    if (refused) {
        log_line(
            LOG_WARN, admin ? "no place is left at --admin-listen" : "--max-connections is reached",
            "open=%llu most=%llu refused=%llu remedy=%s",
            (unsigned long long)atomic_load_explicit(places_taken(worker), memory_order_relaxed),
            (unsigned long long)places(worker), (unsigned long long)refused,
            admin ? "\"close connections that only wait\""
                  : "\"raise --max-connections, or add servers\"");
    }
}

static void refuse(struct door *door, int fd, enum metric why) {
    close(fd);
    metric_add_owner(&door->worker->metrics, why, 1);
}

/* No descriptor is left. A connection that nobody accepts keeps the listen socket readable: a busy
 * loop. So one is taken with the spare descriptor and closed; when another thread was faster, we
 * look away until the next tick. */
static void refuse_without_descriptor(struct door *door) {
    if (door->spare_fd >= 0) {
        close(door->spare_fd);
    }
    const int fd = accept4(door->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        refuse(door, fd, METRIC_connections_refused);
    }
    door->spare_fd = spare();
    if (fd < 0 || door->spare_fd < 0) {
        door->paused = epoll_ctl(door->epoll_fd, EPOLL_CTL_DEL, door->listen_fd, NULL) == 0;
        log_line(LOG_WARN, "no file descriptor is left for connections", "worker=%u remedy=%s",
                 door->worker->index,
                 "\"raise the limit on open files (ulimit -n, LimitNOFILE), or lower "
                 "--max-connections\"");
    }
}

/* Takes in a guest whom the worker's connections count already. */
static void take_in(struct door *door, struct guest *guest) {
    guest->next = door->first;
    guest->previous = NULL;
    if (guest->next) {
        guest->next->previous = guest;
    }
    door->first = guest;
    metric_add_owner(&door->worker->metrics, METRIC_connections_opened, 1);
    /* Once: when it speaks, it goes; closing it ends the watch. */
    if (!listen_to(door, guest) && !watch(door, guest->fd, EPOLLIN | EPOLLONESHOT, guest)) {
        guest_leaves(door, guest, "out of memory");
    }
}

/* Who is to have the next connection: ourselves, unless somebody has clearly fewer. */
static struct worker *fittest(struct worker *self) {
    struct server *server = self->server;
    const uint64_t ours = atomic_load_explicit(&self->connections, memory_order_relaxed);
    struct worker *fittest = self;
    uint64_t fewest = ours - ours / 8; /* that many more are not worth waking somebody up for */
    if (self == server->admin) {
        return self;
    }
    for (unsigned i = 0; i < server->workers; i++) {
        const uint64_t open =
            atomic_load_explicit(&server->worker[i].connections, memory_order_relaxed);
        if (open < fewest) {
            fewest = open;
            fittest = &server->worker[i];
        }
    }
    return fittest;
}

/* Puts the guest into the inbox of another door. False when that one takes nobody any more. */
static bool pass_on(struct door *to, struct guest *guest) {
    struct guest *first = atomic_load_explicit(&to->inbox, memory_order_relaxed);
    do {
        if (first == &nobody) {
            return false;
        }
        guest->next = first;
        /* Release: who takes the inbox sees the guest. Partner: the exchange in take_inbox. */
    } while (!atomic_compare_exchange_weak_explicit(&to->inbox, &first, guest, memory_order_release,
                                                    memory_order_relaxed));
    const uint64_t one = 1;
    const ssize_t written = write(to->bell_fd, &one, sizeof one);
    (void)written; /* it cannot fail but when the counter is full, and then it rings already */
    return true;
}

static void take_inbox(struct door *door, struct guest *leave) {
    struct guest *guest = atomic_exchange_explicit(&door->inbox, leave, memory_order_acquire);
    while (guest && guest != &nobody) {
        struct guest *next = guest->next;
        take_in(door, guest);
        guest = next;
    }
}

static void let_in(struct door *door, int fd, const struct guest *template) {
    struct address_places *address_places = door->worker->server->address_places;
    if (!take_place(door->worker)) {
        note_closed(door, &template->address.any, "no place is left");
        refuse(door, fd, METRIC_connections_refused);
        warn_of_full(door, 1);
        return;
    }
    if (!address_places_take(address_places, &template->address.any)) {
        atomic_fetch_sub_explicit(places_taken(door->worker), 1, memory_order_relaxed);
        note_closed(door, &template->address.any, "one too many for --max-connections-per-address");
        refuse(door, fd, METRIC_connections_refused_of_address);
        return;
    }
    struct guest *guest = malloc(sizeof *guest);
    if (!guest) {
        address_places_release(address_places, &template->address.any);
        atomic_fetch_sub_explicit(places_taken(door->worker), 1, memory_order_relaxed);
        refuse(door, fd, METRIC_connections_refused);
        return;
    }
    *guest = *template;
    guest->fd = fd;
    guest->since_us = atomic_load_explicit(&door->worker->alive_us, memory_order_relaxed);
    struct worker *worker = fittest(door->worker);
    atomic_fetch_add_explicit(&worker->connections, 1, memory_order_relaxed);
    if (worker == door->worker) {
        take_in(door, guest);
    } else if (!pass_on(worker->door, guest)) {
        atomic_fetch_sub_explicit(&worker->connections, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&door->worker->connections, 1, memory_order_relaxed);
        take_in(door, guest);
    }
}

static void accept_some(struct door *door, int most) {
    for (int i = 0; i < most && door->listen_fd >= 0; i++) {
        struct guest guest = {.address_len = sizeof guest.address};
        const int fd = accept4(door->listen_fd, &guest.address.any, &guest.address_len,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
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

/* ---- the worker's calls ---- */

void door_turn(struct door *door) {
    struct epoll_event events[EVENTS_A_TURN];
    const int n = epoll_wait(door->epoll_fd, events, EVENTS_A_TURN, 0);
    for (int i = 0; i < n; i++) {
        struct guest *guest = events[i].data.ptr;
        if (!guest) {
            accept_some(door, ACCEPTS_A_TURN);
        } else if (guest == &nobody) {
            uint64_t rung;
            const ssize_t n_read = read(door->bell_fd, &rung, sizeof rung);
            (void)n_read; /* whoever rings after this finds the inbox empty, or not yet taken */
            take_inbox(door, NULL);
        } else if (!listen_to(door, guest)) {
            struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = guest};
            epoll_ctl(door->epoll_fd, EPOLL_CTL_MOD, guest->fd, &again);
        }
    }
}

void door_tick(struct door *door, int64_t now_us) {
    const struct options *options = door->worker->server->options;
    const int64_t idle_us = options->idle_timeout < options->header_timeout
                                ? options->idle_timeout
                                : options->header_timeout;
    for (struct guest *guest = door->first, *next; guest; guest = next) {
        next = guest->next;
        if (now_us - guest->since_us > idle_us) {
            guest_leaves(door, guest, "said nothing for --header-timeout or --idle-timeout");
        }
    }
    warn_of_full(door, 0);
    if (door->paused && door->listen_fd >= 0) {
        door->spare_fd = door->spare_fd < 0 ? spare() : door->spare_fd;
        door->paused = !watch(door, door->listen_fd, EPOLLIN, NULL);
    }
}

void door_shut(struct door *door) {
    if (door->listen_fd >= 0) {
        if (!door->worker->server->listen_is_shared ||
            door->worker == door->worker->server->admin) {
            accept_some(door, BACKLOG_MAX);
        }
        /* it lives on in its duplicates */
        epoll_ctl(door->epoll_fd, EPOLL_CTL_DEL, door->listen_fd, NULL);
        close(door->listen_fd);
        door->listen_fd = -1;
        take_inbox(door, &nobody);
    }
}

bool door_expects_first(const struct door *door, int64_t since_us) {
    for (const struct guest *guest = door->first; guest; guest = guest->next) {
        if (guest->since_us > since_us) {
            return true;
        }
    }
    return false;
}

void door_close(struct door *door) {
    door_shut(door);
    for (struct guest *guest = door->first, *next; guest; guest = next) {
        next = guest->next;
        guest_leaves(door, guest, "the server stops");
    }
}

void door_free(struct door *door) {
    if (!door) {
        return;
    }
    const int fds[] = {door->listen_fd, door->spare_fd, door->bell_fd, door->epoll_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    free(door);
}
