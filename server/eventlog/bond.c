/* See bond.h. STATE/event-log holds the path of the DIR/<node> that the state last went with.
 * DIR/<node>/.apart, if it exists, holds the span in which a state counted without that log:
 * "since" while it may still do so, else "until", and microseconds since 1970. */
#include "server/eventlog/bond.h"

#include "counters/time/civil.h"
#include "server/process/clock.h"
#include "server/process/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OF_STATE "event-log"
#define OF_LOG ".apart"
#define TEXT_MAX (PATH_MAX + COUNTERS_NODE_MAX)
#define FOLDER (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* ---- files of one line ---- */

/* False: errno is ENOENT if there is no such file, else it says why it cannot be read. */
static bool read_line(const char *dir, const char *name, char text[TEXT_MAX]) {
    const int dir_fd = open(dir, FOLDER);
    const int fd = dir_fd >= 0 ? openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    const ssize_t n = fd >= 0 ? read(fd, text, TEXT_MAX - 1) : -1;
    const int error = errno;
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (fd >= 0) {
        close(fd);
    }
    if (dir_fd >= 0) {
        close(dir_fd);
    }
    errno = error;
    return n >= 0;
}

static bool put_line(int dir_fd, const char *name, const char *text) {
    static const char temporary[] = ".bond";
    const int fd =
        openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        return false;
    }
    const bool ok = dprintf(fd, "%s\n", text) > 0 && fsync(fd) == 0;
    const int error = errno;
    close(fd);
    errno = error;
    return ok && renameat(dir_fd, temporary, dir_fd, name) == 0;
}

/* Replaces the file as a whole, or removes it if text is NULL; durable on return. False, with errno
 * set. */
static bool write_line(const char *dir, const char *name, const char *text) {
    const int dir_fd = open(dir, FOLDER);
    if (dir_fd < 0) {
        return false;
    }
    const bool put =
        text ? put_line(dir_fd, name, text) : unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT;
    const bool ok = put && fsync(dir_fd) == 0;
    const int error = errno;
    close(dir_fd);
    errno = error;
    return ok;
}

/* ---- the span ---- */

struct apart {
    bool known, open; /* open: it has not ended */
    int64_t us;       /* its beginning if it is open, else its end */
};

/* False, with errno set, when it cannot be read. */
static bool read_apart(const char *log, struct apart *apart) {
    char text[TEXT_MAX], word[8];
    *apart = (struct apart){.known = false};
    if (!read_line(log, OF_LOG, text)) {
        return errno == ENOENT;
    }
    apart->known = true;
    if (sscanf(text, "%7s %" SCNd64, word, &apart->us) != 2 ||
        (strcmp(word, "since") != 0 && strcmp(word, "until") != 0)) {
        errno = EBADMSG;
        return false;
    }
    apart->open = strcmp(word, "since") == 0;
    return true;
}

static bool write_apart(const char *log, const char *word, int64_t us) {
    char text[64];
    snprintf(text, sizeof text, "%s %" PRId64, word, us);
    return write_line(log, OF_LOG, text);
}

bool bond_covers(const char *log_dir, const char *node, int64_t from_us, char why[BOND_WHY_MAX]) {
    char log[TEXT_MAX];
    struct apart apart;
    snprintf(log, sizeof log, "%s/%s", log_dir, node);
    if (!read_apart(log, &apart)) {
        snprintf(why, BOND_WHY_MAX, "its file %s cannot be read: %s", OF_LOG, strerror(errno));
        return false;
    }
    if (!apart.known || (!apart.open && apart.us < from_us)) {
        return true;
    }
    struct civil at;
    civil_from_us(apart.us, &at);
    snprintf(why, BOND_WHY_MAX, "events were counted without it %s %04d-%02d-%02dT%02d:%02d:%02dZ",
             apart.open ? "from" : "until", (int)at.year, at.month, at.day, at.hour, at.minute,
             at.second);
    return false;
}

/* ---- the bond ---- */

static bool refuse(const struct options *options, const char *log, const char *remedy) {
    fprintf(stderr, "aforod: --state %s: %s cannot be written: %s%s\n", options->state, log,
            strerror(errno), remedy);
    return false;
}

/* Notes in the log that the state continues without it. A log that is gone cannot be used for a
 * rebuild. */
static bool leave(const struct options *options, const char *log) {
    struct apart apart;
    const bool read = read_apart(log, &apart);
    if (read && apart.known && apart.open) {
        return true;
    }
    if (read && write_apart(log, "since", clock_wall_us())) {
        log_line(LOG_INFO, "events are counted without the event log that the state went with",
                 "event_log=\"%s\"", log);
        return true;
    }
    if (errno == ENOENT) {
        log_line(LOG_WARN,
                 "the event log that the state went with is not there: if it comes back, no state "
                 "can be rebuilt from it as it was",
                 "event_log=\"%s\"", log);
        return true;
    }
    return refuse(options, log,
                  "; it goes with this state, and is to be told that events are counted without "
                  "it. Remove " OF_STATE " from the state directory if it is never to be used "
                  "again");
}

/* Notes what the log lacks of the state: nothing if they went together before. */
static bool note_begin(const char *log, bool together, bool has_counts) {
    struct apart apart;
    if (!read_apart(log, &apart)) {
        return false;
    }
    /* an open span is that of a copy of the state, or of a start that ended before it counted */
    if (together) {
        return !apart.open || write_line(log, OF_LOG, NULL);
    }
    return !(has_counts || apart.open) || write_apart(log, "until", clock_wall_us());
}

bool bond_settle(const struct options *options, const struct counters *counters, bool has_counts) {
    char was[TEXT_MAX], is[TEXT_MAX] = "", dir[PATH_MAX];
    if (!read_line(options->state, OF_STATE, was) && errno != ENOENT) {
        return refuse(options, OF_STATE, "");
    }
    if (*options->event_log && realpath(options->event_log, dir)) {
        snprintf(is, sizeof is, "%s/%s", dir, counters_node_id(counters));
    }
    const bool together = strcmp(was, is) == 0;
    if (*was && !together && !leave(options, was)) {
        return false;
    }
    if (*is && !note_begin(is, together, has_counts)) {
        return refuse(options, is, "");
    }
    return together || write_line(options->state, OF_STATE, *is ? is : NULL) ||
           refuse(options, OF_STATE, "");
}
