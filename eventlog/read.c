#include "eventlog/read.h"

#include "eventlog/files.h"
#include "eventlog/sealed.h"
#include "eventlog/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 1024

/* One reading of a shard. */
struct reading {
    const struct eventlog_question *question;
    const struct eventlog_taker *taker;
    struct eventlog_where where;
    char path[PATH_BYTES];
    uint64_t next;   /* sequence after the last one read */
    uint64_t digest; /* so far, if the blocks before were read */
    bool digest_known;
    uint64_t records; /* passed to the taker */
};

static void name_damage(const struct reading *reading, uint64_t first, uint64_t last,
                        const char *why) {
    const struct eventlog_damage damage = {&reading->where, first, last, why};
    reading->taker->damage(reading->taker->cls, &damage);
}

/* ---- lines ---- */

/* Passes on the lines of text[0..len), the first of which has that number. False: the taker
 * stopped. */
static bool give_lines(struct reading *reading, const char *text, size_t len, uint64_t sequence) {
    const struct eventlog_question *question = reading->question;
    const char *const end = text + len;
    for (const char *at = text; at < end; sequence++) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        next = next ? next + 1 : end;
        struct eventlog_record record = {&reading->where, sequence, {0}, at, (size_t)(next - at)};
        if (!line_read(at, record.len, &record.info)) {
            name_damage(reading, sequence, sequence, "it is no record");
        } else if (record.info.time_us >= question->from_us &&
                   record.info.time_us < question->to_us) {
            reading->records++;
            if (!reading->taker->record(reading->taker->cls, &record)) {
                return false;
            }
        }
        at = next;
    }
    reading->next = sequence;
    return true;
}

/* ---- sealed files ---- */

static bool take_lines(void *cls, const struct sealed_lines *lines) {
    struct reading *reading = cls;
    const struct block_head *head = lines->head;
    if (reading->digest_known && head->first == reading->next && head->before != reading->digest) {
        name_damage(reading, head->first, head->first - 1,
                    "what came before them is not what was there when they were written");
    }
    reading->digest = head->after;
    reading->digest_known = true;
    return give_lines(reading, lines->text, lines->len, head->first);
}

static void take_damage(void *cls, const struct sealed_damage *damage) {
    name_damage(cls, damage->first, damage->last, damage->why);
}

static bool read_sealed(struct reading *reading, int fd, uint64_t bytes, uint64_t first,
                        uint64_t next) {
    void *map = bytes > 0 ? mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (map == MAP_FAILED) {
        name_damage(reading, first, next > 0 ? next - 1 : UINT64_MAX, strerror(errno));
        return true;
    }
    const struct sealed_file file = {map,
                                     bytes,
                                     first,
                                     next,
                                     reading->question->from_us,
                                     reading->question->to_us,
                                     reading->where.node,
                                     reading->where.shard,
                                     false};
    const struct sealed_taker taker = {take_lines, take_damage, reading};
    const bool wanted = sealed_read(&file, &taker);
    if (map) {
        munmap(map, bytes);
    }
    return wanted;
}

/* ---- tails ---- */

static size_t read_all(int fd, char *text, size_t len) {
    size_t at = 0;
    while (at < len) {
        const ssize_t n = pread(fd, text + at, len - at, (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        at += (size_t)n;
    }
    return at;
}

static bool read_tail(struct reading *reading, int fd, uint64_t bytes, uint64_t first,
                      uint64_t next) {
    const struct eventlog_where *where = &reading->where;
    if (!tail_is_of(fd, bytes, where->node, where->shard)) {
        name_damage(reading, first, next > 0 ? next - 1 : UINT64_MAX, TAIL_FOREIGN);
        return true;
    }
    const uint64_t length = tail_find_length(fd, bytes);
    char *text = malloc(length > 0 ? length : 1);
    if (!text) {
        name_damage(reading, first, next > 0 ? next - 1 : UINT64_MAX, "there is no memory for it");
        return true;
    }
    const size_t n = read_all(fd, text, length), whole = line_find_whole(text, n);
    reading->next = first;
    const bool wanted = give_lines(reading, text, whole, first);
    free(text);
    if (!wanted) {
        return false;
    }
    if (whole < length) {
        name_damage(reading, reading->next, next > 0 ? next - 1 : UINT64_MAX,
                    "the file is cut off before them");
    } else if (next > reading->next) {
        name_damage(reading, reading->next, next - 1, "no file has them");
    } else if (next > 0 && next < reading->next) {
        name_damage(reading, next, next - 1, "the next file begins within this one");
    }
    return true;
}

/* ---- files ---- */

/* Opens a file; a tail may have been sealed since it was listed. -1 with errno set on failure. */
static int open_file(int dir_fd, struct log_file *file, char name[FILES_NAME_MAX]) {
    files_name(file, name);
    int fd = files_open(dir_fd, name, O_RDONLY);
    if (fd < 0 && errno == ENOENT && !file->sealed) {
        file->sealed = true;
        files_name(file, name);
        fd = files_open(dir_fd, name, O_RDONLY);
    }
    return fd;
}

static bool read_file(struct reading *reading, int dir_fd, struct log_file file, uint64_t next) {
    char name[FILES_NAME_MAX];
    const int fd = open_file(dir_fd, &file, name);
    struct stat st;
    const bool ok = fd >= 0 && fstat(fd, &st) == 0;
    const int error = errno;
    snprintf(reading->path, sizeof reading->path, "%s/%s/%u/%s", reading->question->dir,
             reading->where.node, reading->where.shard, name);
    bool wanted = true;
    if (!ok) {
        name_damage(reading, file.first, next > 0 ? next - 1 : UINT64_MAX, files_explain(error));
    } else if (file.sealed) {
        wanted = read_sealed(reading, fd, (uint64_t)st.st_size, file.first, next);
    } else {
        reading->digest_known = false;
        wanted = read_tail(reading, fd, (uint64_t)st.st_size, file.first, next);
    }
    if (fd >= 0) {
        close(fd);
    }
    return wanted;
}

/* Each of these returns false on failure, and also, without changing *ok, when the taker
 * stopped. */
static bool read_shard(struct reading *reading, int dir_fd, bool *ok) {
    struct log_files files;
    if (!files_list(dir_fd, &files)) {
        *ok = false;
        return false;
    }
    bool wanted = true;
    reading->digest_known = false;
    for (size_t i = 0; wanted && i < files.n; i++) {
        if (files_is_done(&files, i)) {
            continue;
        }
        size_t after = i + 1;
        while (after < files.n && files.file[after].first == files.file[i].first) {
            after++;
        }
        wanted = read_file(reading, dir_fd, files.file[i],
                           after < files.n ? files.file[after].first : 0);
    }
    free(files.file);
    return wanted;
}

static bool read_node(struct reading *reading, int dir_fd, bool *ok) {
    char **names;
    size_t n;
    if (!files_list_folders(dir_fd, &names, &n)) {
        *ok = false;
        return false;
    }
    bool wanted = true;
    for (size_t i = 0; wanted && i < n; i++) {
        const int fd = openat(dir_fd, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (files_read_shard(names[i], &reading->where.shard) && fd >= 0) {
            wanted = read_shard(reading, fd, ok);
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    files_free_names(names, n);
    return wanted;
}

static bool read_nodes(struct reading *reading, int dir_fd, size_t *nodes) {
    char **names;
    bool ok = true, wanted = true;
    if (!files_list_folders(dir_fd, &names, nodes)) {
        return false;
    }
    for (size_t i = 0; wanted && i < *nodes; i++) {
        const int fd = openat(dir_fd, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        reading->where.node = names[i];
        if (fd >= 0) {
            wanted = read_node(reading, fd, &ok);
            close(fd);
        } else {
            wanted = ok = false;
        }
    }
    const int error = errno;
    files_free_names(names, *nodes);
    errno = error;
    return ok;
}

bool eventlog_read(const struct eventlog_question *question, const struct eventlog_taker *taker,
                   char why[EVENTLOG_READ_WHY_MAX]) {
    struct reading reading = {.question = question, .taker = taker};
    reading.where.file = reading.path;
    size_t nodes = 0;
    const int fd = open(question->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool is_node = fd >= 0 && files_is_node(fd);
    const bool ok = fd >= 0 && !is_node && read_nodes(&reading, fd, &nodes);
    if (is_node) {
        snprintf(why, EVENTLOG_READ_WHY_MAX, "%s: " EVENTLOG_IS_NODE, question->dir);
    } else if (!ok) {
        snprintf(why, EVENTLOG_READ_WHY_MAX, "%s: cannot read the event log: %s", question->dir,
                 strerror(errno));
    } else if (nodes == 0) {
        snprintf(why, EVENTLOG_READ_WHY_MAX,
                 "%s: there is no event log (aforod --event-log DIR makes one)", question->dir);
    }
    if (fd >= 0) {
        close(fd);
    }
    return ok && nodes > 0;
}
