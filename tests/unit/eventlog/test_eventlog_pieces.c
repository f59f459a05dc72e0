/* A log in pieces: which there are, what each gives, and what is not whole. */
#include "eventlog/pieces.h"

#include "eventlog/tail.h"
#include "tests/unit/eventlog/log_lab.h"

#include <pthread.h>
#include <unistd.h>

static struct given given;

static bool take_lines(void *cls, const struct eventlog_lines *lines) {
    (void)cls;
    uint64_t sequence = lines->sequence;
    for (size_t i = 0; i < lines->len; i++) {
        if (lines->text[i] == '\n') {
            given.records++;
            given.seen[sequence % (sizeof given.seen / sizeof *given.seen)] |= 1;
            given.last = sequence++;
        }
    }
    return true;
}

static void take_damage(void *cls, const struct eventlog_damage *damage) {
    (void)cls;
    given_name(&given, damage->first, damage->last);
}

static const struct eventlog_lines_taker taker = {take_lines, take_damage, NULL};
static struct eventlog_pieces pieces;
static char why[EVENTLOG_READ_WHY_MAX];

static void set_up(void) {
    state_dir_make();
}

static void tear_down(void) {
    eventlog_pieces_free(&pieces);
    state_dir_remove();
}

/* Makes DIR/<node>/<shard>, and a descriptor of it. */
static int make_shard(const char *node, unsigned shard) {
    char path[PATH_MAX_TEST + 64];
    snprintf(path, sizeof path, "%s/%s", state_dir, node);
    mkdir(path, 0750);
    snprintf(path, sizeof path, "%s/%s/%u", state_dir, node, shard);
    mkdir(path, 0750);
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void seal(int fd, const char *node, unsigned shard, uint64_t first) {
    struct packer packer = {0};
    struct seal sealing = {.dir_fd = fd, .node = node, .shard = shard, .packer = &packer};
    char sentence[SEAL_WHY_MAX];
    ck_assert_msg(seal_file(&sealing, first, sentence), "%s", sentence);
    packer_end(&packer);
}

static void read_all(int64_t from_us, int64_t to_us) {
    memset(&given, 0, sizeof given);
    for (size_t i = 0; i < pieces.n; i++) {
        ck_assert(eventlog_piece_read(&pieces.piece[i], from_us, to_us, &taker));
    }
}

static void note_span(void *cls, int64_t min_us, int64_t max_us) {
    int64_t *span = cls;
    span[0] = min_us < span[0] ? min_us : span[0];
    span[1] = max_us > span[1] ? max_us : span[1];
}

START_TEST(all_files_of_all_nodes_are_pieces) {
    const int one = make_shard("one", 1), two = make_shard("one", 2), other = make_shard("two", 1);
    lab_write_tail(one, 1, 100, 0);
    seal(one, "one", 1, 1);
    lab_write_tail(one, 101, 50, 0);
    lab_write_tail(two, 1, 20, 0);
    lab_write_tail(other, 1, 7, 0);
    ck_assert_msg(eventlog_pieces_add(&pieces, state_dir, NULL, why), "%s", why);
    ck_assert_uint_eq(pieces.n, 4);
    ck_assert_uint_eq(pieces.nodes, 2);
    ck_assert(pieces.piece[0].sealed && !pieces.piece[1].sealed);
    ck_assert_uint_eq(pieces.piece[0].next, 101);
    ck_assert_uint_eq(pieces.piece[1].next, 0);
    ck_assert_str_eq(pieces.piece[3].node, "two");
    read_all(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 177);
    ck_assert_uint_eq(given.damages, 0);
    eventlog_pieces_free(&pieces);
    ck_assert(eventlog_pieces_add(&pieces, state_dir, "two", why));
    read_all(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 7);
    close(one);
    close(two);
    close(other);
}
END_TEST

START_TEST(a_span_is_known_without_unpacking) {
    const int fd = make_shard("one", 1);
    int64_t span[2] = {INT64_MAX, INT64_MIN};
    lab_write_tail(fd, 1, 30000, 0); /* several blocks */
    seal(fd, "one", 1, 1);
    lab_write_tail(fd, 30001, 1, 0);
    ck_assert(eventlog_pieces_add(&pieces, state_dir, NULL, why));
    ck_assert(eventlog_piece_spans(&pieces.piece[0], note_span, span));
    ck_assert(!eventlog_piece_spans(&pieces.piece[1], note_span, span));
    ck_assert_int_eq((span[1] - span[0]) / 10000, 29999);
    read_all(span[1], span[1] + 1); /* the last block alone, and the tail */
    ck_assert_uint_gt(given.records, 1);
    ck_assert_uint_lt(given.records, 15000);
    close(fd);
}
END_TEST

START_TEST(what_is_not_there_is_named) {
    const int fd = make_shard("one", 1);
    char path[PATH_MAX_TEST + 64];
    lab_write_tail(fd, 1, 10, 0);
    lab_write_tail(fd, 15, 10, 0); /* 11 to 14 are in no file */
    lab_write_tail(fd, 25, 10, 0);
    ck_assert(eventlog_pieces_add(&pieces, state_dir, NULL, why));
    read_all(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 30);
    ck_assert_uint_eq(given.named, 4);
    ck_assert_uint_eq(given.seen[11] & given.seen[14], 2);
    snprintf(path, sizeof path, "%s/one/1/%020u.ndjson", state_dir, 15);
    ck_assert_int_eq(truncate(path, 75), 0); /* within its second line */
    read_all(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 21);
    ck_assert_uint_eq(given.named, 4 + 9);
    ck_assert_int_eq(unlink(path), 0);
    read_all(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 20);
    ck_assert_uint_eq(given.named, 4 + 10);
    close(fd);
}
END_TEST

/* A server seals a tail between the listing and the reading. */
START_TEST(a_tail_that_was_sealed_meanwhile_is_read) {
    const int fd = make_shard("one", 1);
    lab_write_tail(fd, 1, 10, 0);
    ck_assert(eventlog_pieces_add(&pieces, state_dir, NULL, why));
    seal(fd, "one", 1, 1);
    read_all(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 10);
    ck_assert_uint_eq(given.damages, 0);
    close(fd);
}
END_TEST

START_TEST(no_log_is_told) {
    ck_assert(!eventlog_pieces_add(&pieces, state_dir, NULL, why));
    ck_assert_ptr_nonnull(strstr(why, "there is no event log"));
    ck_assert(!eventlog_pieces_add(&pieces, "/nowhere/at all", NULL, why));
    ck_assert_ptr_nonnull(strstr(why, "cannot read the event log: No such file"));
    close(make_shard("one", 1));
    ck_assert(!eventlog_pieces_add(&pieces, state_dir, "two", why));
    ck_assert_ptr_nonnull(strstr(why, "has no node two"));
}
END_TEST

/* cp -r one one.bak, and the same of a shard. */
START_TEST(a_copy_is_named_and_not_counted) {
    const int one = make_shard("one", 1), copy = make_shard("one.bak", 1),
              shard = make_shard("one", 2);
    lab_write_tail(one, 1, 100, 0);
    lab_write_tail(copy, 1, 100, 0);
    lab_write_tail(shard, 1, 100, 0);
    seal(one, "one", 1, 1);
    seal(copy, "one", 1, 1);
    seal(shard, "one", 1, 1);
    ck_assert(eventlog_pieces_add(&pieces, state_dir, NULL, why));
    read_all(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 100);
    ck_assert_uint_eq(given.damages, 2);
    ck_assert(given.open_end);
    int64_t span[2] = {INT64_MAX, INT64_MIN};
    ck_assert(eventlog_piece_spans(&pieces.piece[0], note_span, span));
    ck_assert(!eventlog_piece_spans(&pieces.piece[1], note_span, span));
    close(one);
    close(copy);
    close(shard);
}
END_TEST

/* A tail that is still written to says whose it is, too. */
START_TEST(a_copy_of_a_tail_is_named) {
    const int copy = make_shard("one.bak", 1);
    const struct tail_owner owner = {copy, "one", 1};
    struct tail *tail = tail_make(&owner, ".made", 1 << 16);
    ck_assert(tail && tail_begin(tail, copy, ".made", 1));
    memcpy(tail->base, "{}\n", 3);
    atomic_store(&tail->trailer->length, 3);
    ck_assert(eventlog_pieces_add(&pieces, state_dir, NULL, why));
    read_all(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 0);
    ck_assert_uint_eq(given.damages, 1);
    tail_free(tail);
    close(copy);
}
END_TEST

/* What the log thread does when a busy worker has become a calm one. */
static void *give_pages_back(void *cls) {
    struct tail *tail = cls;
    while (atomic_load(&tail->trailer->length) < tail->room) {
        tail_touch(tail);
        tail_narrow(tail);
    }
    return NULL;
}

START_TEST(lines_stay_when_their_pages_are_given_back) {
    const int fd = make_shard("one", 1);
    const struct tail_owner owner = {fd, "one", 1};
    struct tail *tail = tail_make(&owner, ".made", (size_t)3 << 20);
    struct line_clock clock = {0};
    uint64_t lines = 0;
    pthread_t thread;
    ck_assert(tail && tail_begin(tail, fd, ".made", 1));
    ck_assert_int_eq(pthread_create(&thread, NULL, give_pages_back, tail), 0);
    for (size_t at = 0; at + LINE_TIME_MAX <= tail->room; lines++) {
        at += line_write_time(&clock, T0 + (int64_t)lines, T0 + (int64_t)lines, tail->base + at);
        atomic_store(&tail->trailer->length, at);
    }
    const uint64_t length = atomic_load(&tail->trailer->length);
    atomic_store(&tail->trailer->length, tail->room); /* it ends */
    pthread_join(thread, NULL);
    atomic_store(&tail->trailer->length, length);
    ck_assert(!tail->wide);
    ck_assert(eventlog_pieces_add(&pieces, state_dir, NULL, why));
    read_all(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, lines);
    ck_assert_uint_eq(given.damages, 0);
    tail_free(tail);
    close(fd);
}
END_TEST

/* cp FILE NEXT: the same blocks under two numbers. */
START_TEST(a_file_under_two_numbers_is_counted_once) {
    const int fd = make_shard("one", 1);
    char path[PATH_MAX_TEST + 64], name[FILES_NAME_MAX];
    size_t len;
    lab_write_tail(fd, 1, 30000, 0); /* several blocks */
    seal(fd, "one", 1, 1);
    snprintf(path, sizeof path, "%s/one/1/%020u.ndjson.zst", state_dir, 1);
    unsigned char *bytes = lab_slurp(path, &len);
    files_name(&(const struct log_file){2, true}, name);
    const int copy = openat(fd, name, O_WRONLY | O_CREAT, 0640);
    ck_assert_int_eq(write(copy, bytes, len), (ssize_t)len);
    close(copy);
    free(bytes);
    ck_assert(eventlog_pieces_add(&pieces, state_dir, NULL, why));
    read_all(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 30000);
    ck_assert_uint_ge(given.damages, 2);
    close(fd);
}
END_TEST

START_TEST(a_folder_that_is_added_twice_is_refused) {
    char other[PATH_MAX_TEST + 64], path[PATH_MAX_TEST + 128];
    const int fd = make_shard("one", 1);
    lab_write_tail(fd, 1, 10, 0);
    ck_assert(eventlog_pieces_add(&pieces, state_dir, NULL, why));
    ck_assert(eventlog_pieces_are_once(&pieces, why));
    ck_assert(eventlog_pieces_add(&pieces, state_dir, NULL, why));
    ck_assert(!eventlog_pieces_are_once(&pieces, why));
    ck_assert_ptr_nonnull(strstr(why, "node one, shard 1, from 1 on: they would be counted twice"));
    eventlog_pieces_free(&pieces);
    /* the node's folder was moved away, and it began anew */
    snprintf(other, sizeof other, "%s/.other", state_dir);
    mkdir(other, 0750);
    snprintf(path, sizeof path, "%s/one", other);
    mkdir(path, 0750);
    snprintf(path, sizeof path, "%s/one/1", other);
    mkdir(path, 0750);
    snprintf(path, sizeof path, "%s/one/1/%020d.ndjson", other, 1);
    FILE *file = fopen(path, "w");
    fputs("{}\n", file);
    fclose(file);
    ck_assert(eventlog_pieces_add(&pieces, state_dir, NULL, why));
    ck_assert(eventlog_pieces_add(&pieces, other, NULL, why));
    ck_assert_msg(eventlog_pieces_are_once(&pieces, why), "%s", why);
    close(fd);
}
END_TEST

START_TEST(the_folder_of_a_node_is_no_log) {
    char path[PATH_MAX_TEST + 64];
    const int fd = make_shard("one", 1);
    lab_write_tail(fd, 1, 10, 0);
    snprintf(path, sizeof path, "%s/one", state_dir);
    ck_assert(!eventlog_pieces_add(&pieces, path, NULL, why));
    ck_assert_ptr_nonnull(strstr(why, "is the folder of one node; name the one above it"));
    close(fd);
}
END_TEST

START_TEST(what_is_no_file_is_named_at_once) {
    const int fd = make_shard("one", 1);
    lab_write_tail(fd, 1, 10, 0);
    ck_assert_int_eq(mkfifoat(fd, "00000000000000000011.ndjson.zst", 0640), 0);
    ck_assert_int_eq(mkfifoat(fd, "00000000000000000021.ndjson", 0640), 0);
    ck_assert_int_eq(mkdirat(fd, "00000000000000000031.ndjson", 0750), 0);
    ck_assert_int_eq(symlinkat("/dev/zero", fd, "00000000000000000041.ndjson.zst"), 0);
    lab_write_tail(fd, 51, 10, 0);
    ck_assert(eventlog_pieces_add(&pieces, state_dir, NULL, why));
    read_all(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 20);
    ck_assert_uint_eq(given.named, 40);
    close(fd);
}
END_TEST

START_TEST(a_shard_has_one_name) {
    const int fd = make_shard("one", 1);
    lab_write_tail(fd, 1, 10, 0);
    ck_assert_int_eq(mkdirat(fd, "../01", 0750), 0);
    ck_assert_int_eq(mkdirat(fd, "../+1", 0750), 0);
    ck_assert(eventlog_pieces_add(&pieces, state_dir, NULL, why));
    ck_assert_uint_eq(pieces.n, 1);
    close(fd);
}
END_TEST

static const struct check_fixture fixture = {30, set_up, tear_down};
CHECK_MAIN_WITH(fixture, "eventlog_pieces", all_files_of_all_nodes_are_pieces,
                a_span_is_known_without_unpacking, what_is_not_there_is_named,
                a_tail_that_was_sealed_meanwhile_is_read, no_log_is_told,
                a_copy_is_named_and_not_counted, a_copy_of_a_tail_is_named,
                lines_stay_when_their_pages_are_given_back,
                a_file_under_two_numbers_is_counted_once, what_is_no_file_is_named_at_once,
                a_shard_has_one_name, a_folder_that_is_added_twice_is_refused,
                the_folder_of_a_node_is_no_log)
