/* See rebuild.h. The state is made in a folder of its own within the state directory, and moved
 * into its place when it is complete; if the process is killed before that, the next start begins
 * again. */
#include "server/eventlog/rebuild.h"

#include "replay/rebuild.h"
#include "server/eventlog/bond.h"
#include "server/process/clock.h"
#include "server/process/log.h"
#include "server/process/notify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "rebuilding"
#define DONE FOLDER "/done"
#define STATE "counters.aforo"
#define REPORTS "reports"
#define NOTE ".state"         /* in DIR/<node> */
#define EXTEND_US "900000000" /* 15 minutes, enough for a day's log at 20,000 events a second */
#define NOTE_MAX (PATH_MAX + HOST_NAME_MAX + 2)

static bool refuse(const struct options *options, const char *why) {
    fprintf(stderr, "aforod: --state %s: %s\n", options->state, why);
    return false;
}

/* ---- whose log ---- */

/* Names the state directory so that it differs from one with the same path on another machine.
 * False: it has no path. */
static bool name_state(const struct options *options, char name[NOTE_MAX]) {
    char path[PATH_MAX], host[HOST_NAME_MAX + 1] = "";
    gethostname(host, sizeof host - 1);
    return realpath(options->state, path) && snprintf(name, NOTE_MAX, "%s:%s", host, path) > 0;
}

void rebuild_note_state(const struct options *options, const struct counters *counters) {
    char path[PATH_MAX], name[NOTE_MAX];
    if (!*options->event_log || !name_state(options, name)) {
        return;
    }
    snprintf(path, sizeof path, "%s/%s/" NOTE, options->event_log, counters_node_id(counters));
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0 || write(fd, name, strlen(name)) < 0) {
        log_line(LOG_WARN, "cannot note which state the event log goes with",
                 "file=\"%s\" error=\"%s\"", path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
}

static bool is_noted(const struct options *options, const char *node, const char *wanted) {
    char path[PATH_MAX], name[NOTE_MAX];
    snprintf(path, sizeof path, "%s/%s/" NOTE, options->event_log, node);
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const ssize_t n = fd >= 0 ? read(fd, name, sizeof name - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    return n > 0 && (size_t)n == strlen(wanted) && memcmp(name, wanted, (size_t)n) == 0;
}

/* Finds the nodes whose logs say that they go with this state, and returns how many. With several,
 * it is not certain which is this one's. */
static unsigned find_noted(const struct options *options, char node[COUNTERS_NODE_MAX]) {
    char wanted[NOTE_MAX];
    unsigned found = 0;
    DIR *dir = name_state(options, wanted) ? opendir(options->event_log) : NULL;
    const struct dirent *entry;
    /* cppcheck-suppress readdirCalled ; no other thread uses this stream */
    while (dir && (entry = readdir(dir))) {
        if (counters_node_id_is_valid(entry->d_name) && entry->d_name[0] != '.' &&
            is_noted(options, entry->d_name, wanted) &&
            rebuild_finds(options->event_log, entry->d_name)) {
            snprintf(node, COUNTERS_NODE_MAX, "%.*s", COUNTERS_NODE_MAX - 1, entry->d_name);
            found++;
        }
    }
    if (dir) {
        closedir(dir);
    }
    return found;
}

/* Finds the node whose events must be counted again; "": none. False, with a line on stderr, when
 * that cannot be decided. */
static bool find_node(const struct options *options, char node[COUNTERS_NODE_MAX]) {
    node[0] = '\0';
    if (*options->node_id) {
        if (rebuild_finds(options->event_log, options->node_id)) {
            snprintf(node, COUNTERS_NODE_MAX, "%s", options->node_id);
        }
        return true;
    }
    return find_noted(options, node) <= 1 ||
           refuse(options,
                  "there is no state, and the event log has several nodes that it may have "
                  "been of; say which: --node-id NAME");
}

/* ---- the folder ---- */

/* Removes a file, or a folder with everything in it. */
static void remove_all(int dir_fd, const char *name) {
    const int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    /* cppcheck-suppress readdirCalled ; no other thread uses this stream */
    while (dir && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            remove_all(fd, entry->d_name);
        }
    }
    if (dir) {
        closedir(dir);
    } else if (fd >= 0) {
        close(fd);
    }
    unlinkat(dir_fd, name, fd >= 0 ? AT_REMOVEDIR : 0);
}

/* Moves what was made into its place, the counts last, since they are the state. False, with errno
 * set. */
static bool move_into_place(int dir_fd) {
    const bool moved =
        renameat(dir_fd, FOLDER "/" REPORTS, dir_fd, REPORTS) == 0 || errno == ENOENT;
    if (!moved || fsync(dir_fd) || renameat(dir_fd, FOLDER "/" STATE, dir_fd, STATE) ||
        fsync(dir_fd)) {
        return false;
    }
    remove_all(dir_fd, FOLDER);
    return true;
}

static bool exists(int dir_fd, const char *name) {
    struct stat st;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool mark_done(int dir_fd) {
    const int fd = openat(dir_fd, DONE, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    const bool ok = fd >= 0 && fsync(fd) == 0 && fsync(dir_fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

/* ---- the state ---- */

static bool make_state(const struct options *options, const struct rebuild *rebuild, int dir_fd) {
    struct rebuilt rebuilt;
    char why[REPLAY_WHY_MAX], sentence[2 * REPLAY_WHY_MAX];
    const int64_t started_us = clock_steady_us();
    log_line(LOG_WARN,
             "there is no state, and the event log has events of this node: it is rebuilt",
             "node=%s event_log=\"%s\"", rebuild->node, options->event_log);
    notify_send("STATUS=rebuilding the state\nEXTEND_TIMEOUT_USEC=" EXTEND_US);
    remove_all(dir_fd, FOLDER);
    if (!bond_covers(rebuild->log_dir, rebuild->node, rebuild_start(rebuild) - rebuild->future_us,
                     why) ||
        !rebuild_state(rebuild, &rebuilt, why)) {
        remove_all(dir_fd, FOLDER);
        snprintf(sentence, sizeof sentence,
                 "there is no state, and it cannot be rebuilt from the event log as it was: %s; "
                 "bring the state back, or begin anew by moving %s/%s away",
                 why, options->event_log, rebuild->node);
        return refuse(options, sentence);
    }
    log_line(LOG_INFO, "the state was rebuilt from the event log",
             "node=%s events=%" PRIu64 " from_s=%" PRId64 " ms=%" PRId64, rebuild->node,
             rebuilt.events, rebuilt.from_us / US_PER_S,
             (clock_steady_us() - started_us) / US_PER_MS);
    return mark_done(dir_fd) || refuse(options, strerror(errno));
}

static bool rebuild_in(const struct options *options, const struct rebuild *rebuild, int dir_fd) {
    if (flock(dir_fd, LOCK_EX | LOCK_NB)) {
        return refuse(options, "another server uses this state directory; give each its own");
    }
    if (!exists(dir_fd, DONE)) {
        if (exists(dir_fd, REPORTS)) {
            return refuse(options, "has rows of reports, and no counts: move its folder " REPORTS
                                   " away, and the state is rebuilt from the event log");
        }
        if (!make_state(options, rebuild, dir_fd)) {
            return false;
        }
    }
    return move_into_place(dir_fd) || refuse(options, strerror(errno));
}

bool rebuild_finds_state(const struct options *options) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" STATE, options->state);
    return access(path, F_OK) == 0 || errno != ENOENT;
}

bool rebuild_lost_state(const struct options *options, unsigned workers,
                        const struct definitions *definitions, bool *rebuilt) {
    char node[COUNTERS_NODE_MAX], path[PATH_MAX];
    *rebuilt = false;
    if (!*options->event_log || rebuild_finds_state(options)) {
        return true;
    }
    if (mkdir(options->state, 0750) && errno != EEXIST) {
        return true; /* opening the state will report it */
    }
    if (!find_node(options, node)) {
        return false;
    }
    if (!*node) {
        return true;
    }
    snprintf(path, sizeof path, "%s/" FOLDER, options->state);
    const struct rebuild rebuild = {.log_dir = options->event_log,
                                    .node = node,
                                    .dir = path,
                                    .workers = workers,
                                    .horizon_us = options->horizon,
                                    .future_us = options->future,
                                    .now_us = clock_wall_us(),
                                    .definitions = definitions};
    const int dir_fd = open(options->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool ok = dir_fd >= 0 ? rebuild_in(options, &rebuild, dir_fd) : true;
    *rebuilt = ok && dir_fd >= 0;
    if (dir_fd >= 0) {
        close(dir_fd);
    }
    return ok;
}
