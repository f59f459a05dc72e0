#include "eventlog/follow_shard.h"

#include "eventlog/line.h"
#include "eventlog/sealed.h"
#include "eventlog/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES ((size_t)1 << 20) /* read of a tail at once */
/* The kernel's file timestamps may stand still for this long, and a change during it goes
 * unnoticed. */
#define LIST_AGAIN_US INT64_C(1000000)

/* One visit. */
struct visit {
    struct follow_room *room;
    struct follow_shard *shard;
    struct eventlog_where where;
    int dir_fd;
    bool more; /* there is another piece or file to read at once */
    char *why;
};

int64_t follow_steady_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void name_damage(const struct visit *visit, uint64_t first, uint64_t last, const char *why) {
    const struct eventlog_taker *taker = visit->room->taker;
    const struct eventlog_damage damage = {&visit->where, first, last, why};
    taker->damage(taker->cls, &damage);
}

static void set_path(struct visit *visit, const char *name) {
    struct follow_room *room = visit->room;
    snprintf(room->path, sizeof room->path, "%s/%s/%u/%s", room->following->question.dir,
             visit->shard->node, visit->shard->number, name);
}

/* ---- lines ---- */

/* Passes on the complete lines text[0..len), of which the first has number shard->sequence,
 * skipping those before the shard's position. False: the taker stopped. */
static bool give_lines(struct visit *visit, const char *text, size_t len) {
    const struct eventlog_question *question = &visit->room->following->question;
    const struct eventlog_taker *taker = visit->room->taker;
    struct follow_shard *shard = visit->shard;
    const char *const end = text + len;
    for (const char *at = text; at < end; shard->sequence++) {
        const char *const line_end = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        struct eventlog_record record = {
            &visit->where, shard->sequence, {0}, at, (size_t)(line_end - at)};
        at = line_end;
        if (shard->sequence < shard->next) {
            continue;
        }
        if (!line_read(record.text, record.len, &record.info)) {
            name_damage(visit, shard->sequence, shard->sequence, "it is no record");
        } else if (record.info.time_us >= question->from_us &&
                   record.info.time_us < question->to_us && !taker->record(taker->cls, &record)) {
            return false;
        }
        shard->next = shard->sequence + 1;
    }
    return true;
}

/* ---- which file ---- */

static bool list_files(struct visit *visit) {
    struct follow_shard *shard = visit->shard;
    struct stat st;
    if (fstat(visit->dir_fd, &st)) {
        return false;
    }
    const int64_t now_us = follow_steady_us();
    const bool changed = shard->listed_us == 0 || st.st_mtim.tv_sec != shard->changed.tv_sec ||
                         st.st_mtim.tv_nsec != shard->changed.tv_nsec;
    if (!changed && !shard->again && now_us - shard->listed_us < LIST_AGAIN_US) {
        return true;
    }
    free(shard->files.file);
    shard->again = changed;
    shard->changed = st.st_mtim;
    shard->listed_us = now_us;
    return files_list(visit->dir_fd, &shard->files);
}

/* The first file that begins beyond a number; NULL: there is none. */
static const struct log_file *find_beyond(const struct log_files *files, uint64_t number) {
    for (size_t i = 0; i < files->n; i++) {
        if (files->file[i].first > number) {
            return &files->file[i];
        }
    }
    return NULL;
}

/* The file with the shard's next record or, when no file can have it, the one after it; NULL: it is
 * not written yet. A sealed file comes before its tail. */
static const struct log_file *find_file(const struct follow_shard *shard) {
    const struct log_files *files = &shard->files;
    const struct log_file *found = NULL;
    for (size_t i = 0; i < files->n && files->file[i].first <= shard->next; i++) {
        if (!files_is_done(files, i)) {
            found = &files->file[i];
        }
    }
    /* not the one read to its end; a tail without lines is replaced by one of the same number */
    if (found &&
        (found->first != shard->first || (!found->sealed && found->first == shard->next))) {
        return found;
    }
    return find_beyond(files, shard->next);
}

/* Reports that records before that number are in no file. */
static void name_gap(struct visit *visit, uint64_t before) {
    struct follow_shard *shard = visit->shard;
    const uint64_t last_known = shard->first ? shard->first : shard->next;
    const bool removed = shard->files.n == 0 || shard->files.file[0].first > last_known;
    set_path(visit, "");
    name_damage(visit, shard->next, before - 1,
                removed ? "their files were removed before they were read (--event-log-size, "
                          "--event-log-keep)"
                        : "no file has them");
    shard->next = before;
}

/* Refuses a position that the log never had. */
static enum eventlog_round refuse_position(const struct visit *visit, uint64_t end) {
    const struct follow_shard *shard = visit->shard;
    snprintf(visit->why, EVENTLOG_READ_WHY_MAX,
             "%s/%s/%u: record %" PRIu64 " is to be read next, and the log ends before %" PRIu64
             ": it is not the log that the position is of",
             visit->room->following->question.dir, shard->node, shard->number, shard->next, end);
    return EVENTLOG_FAILED;
}

/* ---- tails ---- */

/* Looks at the open tail: how many bytes of lines it has, and whether a writer may still append. It
 * may be truncated, sealed and removed at any moment. */
static bool look_at_tail(const struct follow_shard *shard, uint64_t *length, bool *removed) {
    struct stat before, after;
    do {
        if (fstat(shard->fd, &before)) {
            return false;
        }
        *removed = before.st_nlink == 0;
        if (tail_read_length(shard->fd, (uint64_t)before.st_size, length)) {
            return true;
        }
        if (fstat(shard->fd, &after)) {
            return false;
        }
    } while (after.st_size != before.st_size);
    *length = (uint64_t)after.st_size;
    return true;
}

static bool make_room(struct follow_room *room, size_t bytes) {
    if (bytes > room->text_cap) {
        char *more = realloc(room->text, bytes);
        if (!more) {
            return false;
        }
        room->text = more;
        room->text_cap = bytes;
    }
    return true;
}

/* Reads further lines of the tail, up to `length` at most, into the buffer, which grows for a line
 * that does not fit. */
static bool read_piece(struct visit *visit, uint64_t length, size_t *whole) {
    struct follow_shard *shard = visit->shard;
    struct follow_room *room = visit->room;
    *whole = 0;
    for (size_t want = PIECE_BYTES; *whole == 0 && length > shard->at; want *= 2) {
        const uint64_t left = length - shard->at;
        const size_t n = left < want ? (size_t)left : want;
        if (!make_room(room, n)) {
            errno = ENOMEM;
            return false;
        }
        const ssize_t got = pread(shard->fd, room->text, n, (off_t)shard->at);
        if (got < 0 && errno != EINTR) {
            return false;
        }
        *whole = got > 0 ? line_find_whole(room->text, (size_t)got) : 0;
        if (n == left) {
            break;
        }
    }
    return true;
}

/* False with errno set on failure. A file system that cannot sync is accepted. */
static bool sync_file(int fd) {
    return fdatasync(fd) == 0 || errno == EINVAL || errno == EROFS;
}

static bool put_on_disk(const struct visit *visit) {
    struct follow_shard *shard = visit->shard;
    if (!visit->room->following->durable) {
        return true;
    }
    shard->named = shard->named || sync_file(visit->dir_fd);
    return shard->named && sync_file(shard->fd);
}

/* Leaves a tail that was read to its end; the next file, if it exists, begins with that number. One
 * that was removed without lines was replaced by another of its number, which may be sealed by now:
 * it is yet to be read. */
static void leave_tail(struct visit *visit, const struct log_file *beyond, bool removed) {
    const bool replaced = removed && visit->shard->at == 0;
    close(visit->shard->fd);
    visit->shard->fd = -1;
    visit->more = true;
    if (replaced) {
        visit->shard->first = 0;
        visit->shard->listed_us = 0; /* the list is of before */
    } else if (beyond && beyond->first > visit->shard->next) {
        name_gap(visit, beyond->first);
    }
}

static enum eventlog_round fail(const struct visit *visit) {
    snprintf(visit->why, EVENTLOG_READ_WHY_MAX, "%s: %s", visit->where.file, files_explain(errno));
    return EVENTLOG_FAILED;
}

static bool is_ours(const struct follow_shard *shard) {
    struct stat st;
    return fstat(shard->fd, &st) ||
           tail_is_of(shard->fd, (uint64_t)st.st_size, shard->node, shard->number);
}

static enum eventlog_round refuse_tail(const struct visit *visit) {
    snprintf(visit->why, EVENTLOG_READ_WHY_MAX, "%s: %s; move it out of the log", visit->where.file,
             TAIL_FOREIGN);
    return EVENTLOG_FAILED;
}

static enum eventlog_round read_tail(struct visit *visit) {
    struct follow_shard *shard = visit->shard;
    char name[FILES_NAME_MAX];
    files_name(&(const struct log_file){.first = shard->first}, name);
    set_path(visit, name);
    /* in this order: a writer that has begun another file or removed this one appends nothing more
     * to it */
    const struct log_file *beyond = find_beyond(&shard->files, shard->first);
    uint64_t length;
    bool removed;
    size_t whole;
    if (!look_at_tail(shard, &length, &removed)) {
        return fail(visit);
    }
    if (length > shard->at && (!put_on_disk(visit) || !read_piece(visit, length, &whole))) {
        return fail(visit);
    }
    const bool any = length > shard->at && whole > 0;
    if (any) {
        shard->at += whole;
        visit->more = shard->at < length || beyond || removed;
        if (!give_lines(visit, visit->room->text, whole)) {
            return EVENTLOG_STOPPED;
        }
    } else if (beyond || removed) {
        leave_tail(visit, beyond, removed);
    }
    return visit->more || shard->sequence >= shard->next ? EVENTLOG_IDLE
                                                         : refuse_position(visit, shard->sequence);
}

/* ---- sealed files ---- */

static bool take_lines(void *cls, const struct sealed_lines *lines) {
    struct visit *visit = cls;
    visit->shard->sequence = lines->head->first;
    return give_lines(visit, lines->text, lines->len);
}

static void take_damage(void *cls, const struct sealed_damage *damage) {
    const struct visit *visit = cls;
    const uint64_t next = visit->shard->next;
    if (damage->last >= next || damage->last < damage->first) {
        name_damage(visit, damage->first > next ? damage->first : next, damage->last, damage->why);
    }
}

/* The number after the last record of an intact sealed file; 0: its end is damaged. */
static uint64_t find_end(const unsigned char *bytes, size_t len) {
    struct block_head head;
    return len >= BLOCK_HEAD_BYTES &&
                   block_decode(bytes + len - BLOCK_HEAD_BYTES, BLOCK_HEAD_BYTES, &head) &&
                   head.flags & BLOCK_END
               ? head.first
               : 0;
}

static enum eventlog_round read_map(struct visit *visit, const void *map, size_t len,
                                    uint64_t first) {
    struct follow_shard *shard = visit->shard;
    const struct eventlog_question *question = &visit->room->following->question;
    const struct log_file *beyond = find_beyond(&shard->files, first);
    const uint64_t after = beyond ? beyond->first : 0, end = find_end(map, len);
    if (end > 0 && end < shard->next && !beyond) {
        return refuse_position(visit, end);
    }
    /* records in two files are passed on once, by number: the first file is read to its end */
    const uint64_t next = end > after ? 0 : after;
    const struct sealed_file file = {
        map,         len,           first, next, question->from_us, question->to_us,
        shard->node, shard->number, false};
    const struct sealed_taker taker = {take_lines, take_damage, visit};
    if (end != shard->next && !sealed_read(&file, &taker)) {
        return EVENTLOG_STOPPED;
    }
    const uint64_t behind = after > end ? after : end; /* gaps were reported */
    shard->next = behind > shard->next ? behind : shard->next;
    visit->more = true;
    return EVENTLOG_IDLE;
}

static enum eventlog_round read_sealed(struct visit *visit, int fd, uint64_t first) {
    struct stat st;
    if (fstat(fd, &st)) {
        return fail(visit);
    }
    const size_t len = (size_t)st.st_size;
    void *map = len > 0 ? mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (map == MAP_FAILED) {
        return fail(visit);
    }
    const enum eventlog_round round = read_map(visit, map, len, first);
    if (map) {
        munmap(map, len);
    }
    return round;
}

/* ---- a visit ---- */

/* Opens the next file. If it has disappeared, looks for it again at once. */
static enum eventlog_round open_next(struct visit *visit) {
    struct follow_shard *shard = visit->shard;
    const struct log_file *file = find_file(shard);
    if (!file) {
        return EVENTLOG_IDLE;
    }
    char name[FILES_NAME_MAX];
    files_name(file, name);
    set_path(visit, name);
    const int fd = files_open(visit->dir_fd, name, O_RDONLY);
    if (fd < 0 && errno == ENOENT) {
        shard->listed_us = 0;
        return EVENTLOG_GIVEN;
    }
    if (fd < 0) {
        return fail(visit);
    }
    shard->next = shard->next ? shard->next : file->first;
    if (file->first > shard->next) {
        name_gap(visit, file->first);
        set_path(visit, name);
    }
    shard->first = shard->sequence = file->first;
    shard->at = 0;
    if (!file->sealed) {
        shard->fd = fd;
        shard->named = false;
        return is_ours(shard) ? read_tail(visit) : refuse_tail(visit);
    }
    const enum eventlog_round round = read_sealed(visit, fd, file->first);
    close(fd);
    return round;
}

enum eventlog_round follow_shard_visit(struct follow_room *room, struct follow_shard *shard,
                                       char why[EVENTLOG_READ_WHY_MAX]) {
    char path[FOLLOW_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s/%u", room->following->question.dir, shard->node,
             shard->number);
    const int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0 && errno == ENOENT) {
        return EVENTLOG_IDLE;
    }
    struct visit visit = {.room = room,
                          .shard = shard,
                          .where = {shard->node, shard->number, room->path},
                          .dir_fd = dir_fd,
                          .why = why};
    set_path(&visit, "");
    if (dir_fd < 0) {
        return fail(&visit);
    }
    enum eventlog_round round = list_files(&visit) ? EVENTLOG_IDLE : fail(&visit);
    if (round == EVENTLOG_IDLE) {
        round = shard->fd >= 0 ? read_tail(&visit) : open_next(&visit);
    }
    close(dir_fd);
    return round == EVENTLOG_IDLE && visit.more ? EVENTLOG_GIVEN : round;
}

void follow_shard_close(struct follow_shard *shard) {
    if (shard->fd >= 0) {
        close(shard->fd);
    }
    free(shard->files.file);
}
