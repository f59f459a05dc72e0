#include "eventlog/pieces.h"

#include "eventlog/files.h"
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

#define PATH_BYTES 1024

/* ---- the list ---- */

/* A copy of a name that lives as long as the list. NULL when memory runs out. */
static const char *keep_name(struct eventlog_pieces *pieces, const char *name) {
    char **names = realloc(pieces->name, (pieces->names + 1) * sizeof *names);
    if (!names) {
        return NULL;
    }
    pieces->name = names;
    names[pieces->names] = strdup(name);
    return names[pieces->names] ? names[pieces->names++] : NULL;
}

static bool add_piece(struct eventlog_pieces *pieces, const struct eventlog_piece *piece) {
    if ((pieces->n & (pieces->n - 1)) == 0) { /* doubles at each power of two */
        struct eventlog_piece *more =
            realloc(pieces->piece, (pieces->n ? 2 * pieces->n : 1) * sizeof *more);
        if (!more) {
            return false;
        }
        pieces->piece = more;
    }
    pieces->piece[pieces->n++] = *piece;
    return true;
}

/* Adds the files of a shard, which `shard` describes. */
static bool add_files(struct eventlog_pieces *pieces, int dir_fd,
                      const struct eventlog_piece *shard) {
    struct log_files files;
    if (!files_list(dir_fd, &files)) {
        return false;
    }
    bool ok = true;
    struct eventlog_piece *before = NULL;
    for (size_t i = 0; ok && i < files.n; i++) {
        struct eventlog_piece piece = *shard;
        char name[FILES_NAME_MAX];
        struct stat st;
        if (files_is_done(&files, i)) {
            continue;
        }
        files_name(&files.file[i], name);
        piece.first = files.file[i].first;
        piece.sealed = files.file[i].sealed;
        piece.bytes = fstatat(dir_fd, name, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
        if (before) {
            before->next = piece.first;
        }
        ok = add_piece(pieces, &piece);
        before = ok ? &pieces->piece[pieces->n - 1] : NULL;
    }
    free(files.file);
    return ok;
}

static bool add_shards(struct eventlog_pieces *pieces, int dir_fd, struct eventlog_piece *node) {
    char **names;
    size_t n;
    if (!files_list_folders(dir_fd, &names, &n)) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        if (!files_read_shard(names[i], &node->shard)) {
            continue;
        }
        const int fd = openat(dir_fd, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ok = fd >= 0 && add_files(pieces, fd, node);
        if (fd >= 0) {
            close(fd);
        }
    }
    const int error = errno;
    files_free_names(names, n);
    errno = error;
    return ok;
}

/* Adds all nodes of a log, or the one that is wanted; *found: how many. */
static bool add_nodes(struct eventlog_pieces *pieces, const char *dir, int dir_fd,
                      const char *wanted, size_t *found) {
    char **names;
    size_t n;
    if (!files_list_folders(dir_fd, &names, &n)) {
        return false;
    }
    bool ok = true;
    const char *kept = keep_name(pieces, dir);
    for (size_t i = 0; ok && i < n; i++) {
        if (wanted && strcmp(names[i], wanted) != 0) {
            continue;
        }
        struct eventlog_piece node = {.dir = kept, .node = keep_name(pieces, names[i])};
        const int fd = openat(dir_fd, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ok = fd >= 0 && node.dir && node.node && add_shards(pieces, fd, &node);
        if (fd >= 0) {
            close(fd);
        }
        ++*found;
    }
    const int error = errno;
    files_free_names(names, n);
    errno = error;
    return ok;
}

bool eventlog_pieces_add(struct eventlog_pieces *pieces, const char *dir, const char *node,
                         char why[EVENTLOG_READ_WHY_MAX]) {
    size_t found = 0;
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool is_node = fd >= 0 && files_is_node(fd);
    const bool ok = fd >= 0 && !is_node && add_nodes(pieces, dir, fd, node, &found);
    if (is_node) {
        snprintf(why, EVENTLOG_READ_WHY_MAX, "%s: " EVENTLOG_IS_NODE, dir);
    } else if (!ok) {
        snprintf(why, EVENTLOG_READ_WHY_MAX, "%s: cannot read the event log: %s", dir,
                 strerror(errno));
    } else if (found == 0 && node) {
        snprintf(why, EVENTLOG_READ_WHY_MAX, "%s: the event log has no node %s", dir, node);
    } else if (found == 0) {
        snprintf(why, EVENTLOG_READ_WHY_MAX,
                 "%s: there is no event log (aforod --event-log DIR makes one)", dir);
    }
    if (fd >= 0) {
        close(fd);
    }
    pieces->nodes += found;
    return ok && found > 0;
}

void eventlog_pieces_free(struct eventlog_pieces *pieces) {
    for (size_t i = 0; i < pieces->names; i++) {
        free(pieces->name[i]);
    }
    free(pieces->name);
    free(pieces->piece);
    *pieces = (struct eventlog_pieces){0};
}

/* ---- a piece ---- */

/* An open file, mapped as far as it has lines. */
struct mapped {
    char path[PATH_BYTES];
    bool sealed;
    const unsigned char *bytes; /* NULL: there are none */
    size_t len;
    bool foreign; /* a tail that is of another shard */
};

static int open_file(const struct eventlog_piece *piece, struct mapped *mapped) {
    char name[FILES_NAME_MAX];
    files_name(&(const struct log_file){piece->first, mapped->sealed}, name);
    snprintf(mapped->path, sizeof mapped->path, "%s/%s/%u/%s", piece->dir, piece->node,
             piece->shard, name);
    return files_open(AT_FDCWD, mapped->path, O_RDONLY);
}

/* False with errno set on failure. A tail may have been sealed since it was listed. */
static bool map_piece(const struct eventlog_piece *piece, struct mapped *mapped) {
    struct stat st;
    mapped->sealed = piece->sealed;
    mapped->bytes = NULL;
    mapped->foreign = false;
    int fd = open_file(piece, mapped);
    if (fd < 0 && errno == ENOENT && !piece->sealed) {
        mapped->sealed = true;
        fd = open_file(piece, mapped);
    }
    if (fd < 0) {
        return false;
    }
    bool ok = fstat(fd, &st) == 0;
    mapped->foreign =
        ok && !mapped->sealed && !tail_is_of(fd, (uint64_t)st.st_size, piece->node, piece->shard);
    mapped->len = !ok              ? 0
                  : mapped->sealed ? (size_t)st.st_size
                                   : (size_t)tail_find_length(fd, (uint64_t)st.st_size);
    if (mapped->len > 0) {
        mapped->bytes = mmap(NULL, mapped->len, PROT_READ, MAP_PRIVATE, fd, 0);
        ok = mapped->bytes != MAP_FAILED;
        mapped->bytes = ok ? mapped->bytes : NULL;
    }
    const int error = errno;
    close(fd);
    errno = error;
    return ok;
}

static void unmap_piece(const struct mapped *mapped) {
    if (mapped->bytes) {
        munmap((void *)(uintptr_t)mapped->bytes, mapped->len);
    }
}

/* One reading. */
struct piece_reading {
    const struct eventlog_piece *piece;
    const struct eventlog_lines_taker *taker;
    struct eventlog_where where;
};

static void name_damage(const struct piece_reading *reading, uint64_t first, uint64_t last,
                        const char *why) {
    reading->taker->damage(reading->taker->cls,
                           &(const struct eventlog_damage){&reading->where, first, last, why});
}

static bool take_block(void *cls, const struct sealed_lines *lines) {
    const struct piece_reading *reading = cls;
    return reading->taker->lines(reading->taker->cls,
                                 &(const struct eventlog_lines){&reading->where, lines->head->first,
                                                                lines->text, lines->len});
}

static void take_damage(void *cls, const struct sealed_damage *damage) {
    name_damage(cls, damage->first, damage->last, damage->why);
}

static uint64_t last_of(const struct eventlog_piece *piece) {
    return piece->next > 0 ? piece->next - 1 : UINT64_MAX;
}

static bool read_tail(const struct piece_reading *reading, const char *text, size_t len) {
    const struct eventlog_piece *piece = reading->piece;
    const size_t whole = line_find_whole(text, len);
    const uint64_t end = piece->first + line_count(text, whole);
    const struct eventlog_lines lines = {&reading->where, piece->first, text, whole};
    if (whole > 0 && !reading->taker->lines(reading->taker->cls, &lines)) {
        return false;
    }
    if (whole < len) {
        name_damage(reading, end, last_of(piece), "the file is cut off before them");
    } else if (piece->next > end) {
        name_damage(reading, end, piece->next - 1, "no file has them");
    } else if (piece->next > 0 && piece->next < end) {
        name_damage(reading, piece->next, piece->next - 1, "the next file begins within this one");
    }
    return true;
}

bool eventlog_piece_read(const struct eventlog_piece *piece, int64_t from_us, int64_t to_us,
                         const struct eventlog_lines_taker *taker) {
    struct mapped mapped;
    const bool ok = map_piece(piece, &mapped);
    struct piece_reading reading = {piece, taker, {piece->node, piece->shard, mapped.path}};
    bool wanted = true;
    if (!ok) {
        name_damage(&reading, piece->first, last_of(piece), files_explain(errno));
    } else if (mapped.foreign) {
        name_damage(&reading, piece->first, last_of(piece), TAIL_FOREIGN);
    } else if (mapped.sealed) {
        const struct sealed_file file = {mapped.bytes, mapped.len,   piece->first,
                                         piece->next,  from_us,      to_us,
                                         piece->node,  piece->shard, true};
        wanted =
            sealed_read(&file, &(const struct sealed_taker){take_block, take_damage, &reading});
    } else {
        wanted = read_tail(&reading, (const char *)mapped.bytes, mapped.len);
    }
    unmap_piece(&mapped);
    return wanted;
}

bool eventlog_piece_spans(const struct eventlog_piece *piece,
                          void (*each)(void *cls, int64_t min_us, int64_t max_us), void *cls) {
    struct mapped mapped;
    struct block_head head = {.flags = 0};
    bool ok = map_piece(piece, &mapped) && mapped.sealed;
    for (size_t at = 0; ok && !(head.flags & BLOCK_END); at += head.frame_bytes) {
        ok = at <= mapped.len && block_decode(mapped.bytes + at, mapped.len - at, &head);
        at += BLOCK_HEAD_BYTES;
        ok = ok && strcmp(head.node, piece->node) == 0 && head.shard == piece->shard;
        if (ok && !(head.flags & BLOCK_END)) {
            each(cls, head.min_us, head.max_us);
        }
    }
    /* what no file has is reported when the piece is read */
    ok = ok && (piece->next == 0 || piece->next == head.first);
    unmap_piece(&mapped);
    return ok;
}

/* ---- no duplicates ---- */

#define FIRST_LINE_BYTES 512

struct first_line {
    char text[FIRST_LINE_BYTES];
    size_t len; /* 0: there is none */
};

static bool take_first(void *cls, const struct eventlog_lines *lines) {
    struct first_line *first = cls;
    const char *end = memchr(lines->text, '\n', lines->len);
    const size_t len = end ? (size_t)(end - lines->text) : lines->len;
    first->len = len < sizeof first->text ? len : sizeof first->text;
    memcpy(first->text, lines->text, first->len);
    return false;
}

static void pass_over(void *cls, const struct eventlog_damage *damage) {
    (void)cls;
    (void)damage; /* reported when the piece is read */
}

/* A node that started over reuses numbers for other records. */
static bool begin_alike(const struct eventlog_piece *a, const struct eventlog_piece *b) {
    struct first_line left = {.len = 0}, right = {.len = 0};
    eventlog_piece_read(a, INT64_MIN, INT64_MAX,
                        &(const struct eventlog_lines_taker){take_first, pass_over, &left});
    eventlog_piece_read(b, INT64_MIN, INT64_MAX,
                        &(const struct eventlog_lines_taker){take_first, pass_over, &right});
    return left.len > 0 && left.len == right.len && memcmp(left.text, right.text, left.len) == 0;
}

static int compare_pieces(const void *left, const void *right) {
    const struct eventlog_piece *a = *(const struct eventlog_piece *const *)left,
                                *b = *(const struct eventlog_piece *const *)right;
    const int nodes = strcmp(a->node, b->node);
    return nodes != 0             ? nodes
           : a->shard != b->shard ? (a->shard > b->shard ? 1 : -1)
           : a->first != b->first ? (a->first > b->first ? 1 : -1)
                                  : 0;
}

bool eventlog_pieces_are_once(const struct eventlog_pieces *pieces,
                              char why[EVENTLOG_READ_WHY_MAX]) {
    const struct eventlog_piece **sorted =
        malloc((pieces->n + 1) * sizeof(const struct eventlog_piece *));
    bool once = sorted != NULL;
    snprintf(why, EVENTLOG_READ_WHY_MAX, "out of memory");
    for (size_t i = 0; sorted && i < pieces->n; i++) {
        sorted[i] = &pieces->piece[i];
    }
    if (sorted && pieces->n > 0) {
        qsort(sorted, pieces->n, sizeof(const struct eventlog_piece *), compare_pieces);
    }
    for (size_t i = 1; once && i < pieces->n; i++) {
        if (compare_pieces(&sorted[i - 1], &sorted[i]) == 0 &&
            begin_alike(sorted[i - 1], sorted[i])) {
            snprintf(why, EVENTLOG_READ_WHY_MAX,
                     "%.200s and %.200s have both records of node %s, shard %u, from %" PRIu64
                     " on: they would be counted twice",
                     sorted[i - 1]->dir, sorted[i]->dir, sorted[i]->node, sorted[i]->shard,
                     sorted[i]->first);
            once = false;
        }
    }
    free(sorted);
    return once;
}
