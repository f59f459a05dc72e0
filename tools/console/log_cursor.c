#include "tools/console/log_cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "aforo event log cursor 1\n"
#define SHARDS_MAX 65536
#define LINE_BYTES (EVENTLOG_NODE_MAX + 48)
#define PATH_BYTES 4096

static bool say(char *why, const char *path, const char *what) {
    snprintf(why, LOG_CURSOR_WHY_MAX, "%.512s: %s", path, what);
    return false;
}

/* ---- reading ---- */

/* "NODE SHARD NEXT" */
static bool read_line(const char *line, size_t len, struct eventlog_position *position) {
    char text[LINE_BYTES], *end;
    if (len >= sizeof text)
        return false;
    memcpy(text, line, len);
    text[len] = '\0';
    char *next = strrchr(text, ' ');
    if (next == NULL)
        return false;
    *next++ = '\0';
    char *shard = strrchr(text, ' ');
    if (shard == NULL)
        return false;
    *shard++ = '\0';
    if (*text == '\0' || strchr(text, ' ') != NULL || strlen(text) >= EVENTLOG_NODE_MAX ||
        *shard < '0' || *shard > '9' || *next < '1' || *next > '9')
        return false;
    memset(position, 0, sizeof *position);
    memcpy(position->node, text, strlen(text));
    errno = 0;
    const unsigned long number = strtoul(shard, &end, 10);
    const bool shard_is_right = *end == '\0' && number <= UINT32_MAX;
    position->shard = (unsigned)number;
    position->next = strtoull(next, &end, 10);
    return shard_is_right && *end == '\0' && errno == 0;
}

/* A shard that is named twice would be delivered twice. */
static bool is_new(const struct log_cursor *cursor) {
    const struct eventlog_position *last = &cursor->position[cursor->positions];
    for (size_t i = 0; i < cursor->positions; i++) {
        const struct eventlog_position *other = &cursor->position[i];
        if (other->shard == last->shard && strcmp(other->node, last->node) == 0)
            return false;
    }
    return true;
}

static bool read_text(struct log_cursor *cursor, const char *text, char *why) {
    unsigned number = 1;
    if (strncmp(text, HEAD, strlen(HEAD)) != 0)
        return say(why, cursor->path,
                   "is no cursor of the event log: its first line is another; name another file");
    for (const char *at = text + strlen(HEAD); *at != '\0';) {
        const size_t len = strcspn(at, "\n");
        number++;
        if (cursor->positions == SHARDS_MAX || at[len] != '\n' ||
            !read_line(at, len, &cursor->position[cursor->positions])) {
            snprintf(why, LOG_CURSOR_WHY_MAX,
                     "%.512s: line %u: expected a node, a shard, and the number of its next record",
                     cursor->path, number);
            return false;
        }
        if (!is_new(cursor)) {
            snprintf(why, LOG_CURSOR_WHY_MAX,
                     "%.512s: line %u: this node and shard are there already; leave one of them",
                     cursor->path, number);
            return false;
        }
        cursor->positions++;
        at += len + 1;
    }
    return true;
}

static bool read_file(struct log_cursor *cursor, char *why) {
    struct stat st;
    if (fstat(cursor->fd, &st) != 0)
        return say(why, cursor->path, strerror(errno));
    if (st.st_size > (off_t)SHARDS_MAX * LINE_BYTES)
        return say(why, cursor->path, "is no cursor of the event log: it is too large");
    const size_t len = (size_t)st.st_size;
    char *text = malloc(len + 1);
    /* a line is longer than two bytes */
    cursor->position = malloc((len / 2 + 1) * sizeof *cursor->position);
    bool ok = text != NULL && cursor->position != NULL;
    if (!ok)
        say(why, cursor->path, "out of memory");
    if (ok && pread(cursor->fd, text, len, 0) != (ssize_t)len)
        ok = say(why, cursor->path, "cannot be read");
    cursor->begins = len == 0;
    if (ok && len > 0) {
        text[len] = '\0';
        ok = read_text(cursor, text, why);
    }
    free(text);
    return ok;
}

/* Opens the file of that name and locks it; tries again if it is replaced in between. */
static bool open_locked(struct log_cursor *cursor, char *why) {
    struct stat held, named;
    for (;;) {
        cursor->fd = open(cursor->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
        if (cursor->fd < 0 || fstat(cursor->fd, &held) != 0)
            return say(why, cursor->path, strerror(errno));
        if (!S_ISREG(held.st_mode))
            return say(why, cursor->path, "is no regular file");
        if (flock(cursor->fd, LOCK_EX | LOCK_NB) != 0)
            return say(why, cursor->path,
                       errno == EWOULDBLOCK ? "another process follows with this cursor"
                                            : strerror(errno));
        if (stat(cursor->path, &named) == 0 && named.st_ino == held.st_ino &&
            named.st_dev == held.st_dev)
            return true;
        close(cursor->fd);
    }
}

bool log_cursor_open(struct log_cursor *cursor, const char *path, char why[LOG_CURSOR_WHY_MAX]) {
    *cursor = (struct log_cursor){.path = path, .fd = -1};
    if (strlen(path) + sizeof ".new" > PATH_BYTES)
        return say(why, path, "the path is too long");
    if (open_locked(cursor, why) && read_file(cursor, why))
        return true;
    log_cursor_close(cursor);
    return false;
}

/* ---- writing ---- */

static bool write_positions(int fd, const struct eventlog_position *position, size_t positions) {
    const int copy = dup(fd);
    FILE *file = copy < 0 ? NULL : fdopen(copy, "w");
    if (file == NULL) {
        if (copy >= 0)
            close(copy); /* cppcheck-suppress doubleFree ; fdopen did not take it */
        return false;
    }
    fputs(HEAD, file);
    for (size_t i = 0; i < positions; i++)
        fprintf(file, "%s %u %" PRIu64 "\n", position[i].node, position[i].shard, position[i].next);
    const bool ok = fflush(file) == 0 && fsync(fd) == 0;
    const int error = errno;
    fclose(file);
    errno = error;
    return ok;
}

static bool sync_folder(const char *path) {
    char folder[PATH_BYTES];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[slash == folder] = '\0';
    const int fd = open(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool log_cursor_write(struct log_cursor *cursor, const struct eventlog_position *position,
                      size_t positions, char why[LOG_CURSOR_WHY_MAX]) {
    char name[PATH_BYTES];
    snprintf(name, sizeof name, "%s.new", cursor->path);
    const int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 || !write_positions(fd, position, positions) ||
        rename(name, cursor->path) != 0 || !sync_folder(cursor->path)) {
        say(why, name, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    close(cursor->fd); /* and, with it, the lock of the file that was replaced */
    cursor->fd = fd;
    return true;
}

void log_cursor_close(struct log_cursor *cursor) {
    if (cursor->fd >= 0)
        close(cursor->fd);
    cursor->fd = -1;
    free(cursor->position);
    cursor->position = NULL;
}
