/* A tail that is sealed becomes the next one: only when nobody reads it and the disk never had any
 * of it, and no reader ever sees it change. On a real disk, since memory has no blocks to ask for:
 * where the file system does not tell, tails are made anew, and there is nothing to be seen here.
 */
#include "tests/unit/eventlog/log_lab.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#define ROOM ((size_t)65536)
#define EVENTS 60000

static char dir[PATH_MAX_TEST];
static int dir_fd;

static void set_up(void) {
    snprintf(dir, sizeof dir, "tail-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
    ck_assert_int_ge(dir_fd, 0);
}

static void tear_down(void) {
    char command[PATH_MAX_TEST + 16];
    close(dir_fd);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static struct tail *make(void) {
    struct tail *tail = tail_make(&(const struct tail_owner){dir_fd, "n", 1}, ".a", ROOM);
    ck_assert_ptr_nonnull(tail);
    ck_assert(tail_begin(tail, dir_fd, ".a", 7));
    memset(tail->base, 'x', ROOM);
    atomic_store(&tail->trailer->length, ROOM);
    return tail;
}

static bool is_clear(const struct tail *tail) {
    bool clear = atomic_load(&tail->trailer->length) == 0 && tail->trailer->first == 0;
    for (size_t i = 0; i < ROOM; i++) {
        clear = clear && tail->base[i] == 0;
    }
    return clear;
}

START_TEST(it_is_as_if_newly_made) {
    struct tail *tail = make();
    if (tail_clear(tail)) {
        ck_assert(is_clear(tail));
        ck_assert(tail_clear(tail));
    }
    tail_free(tail);
}
END_TEST

START_TEST(one_that_somebody_reads_stays) {
    char name[FILES_NAME_MAX];
    files_name(&(const struct log_file){.first = 7}, name);
    struct tail *tail = make();
    const int fd = tail_open(dir_fd, name, 7);
    ck_assert_int_ge(fd, 0);
    ck_assert(!tail_clear(tail));
    const void *map = mmap(NULL, ROOM, PROT_READ, MAP_PRIVATE, fd, 0);
    ck_assert(map != MAP_FAILED);
    close(fd);
    ck_assert(!tail_clear(tail));
    ck_assert_int_eq(tail->base[0], 'x');
    munmap((void *)(uintptr_t)map, ROOM);
    if (tail_clear(tail)) { /* whoever comes now learns that it is another */
        ck_assert_int_eq(tail_open(dir_fd, name, 7), -1);
        ck_assert_int_eq(errno, ENOENT);
    }
    tail_free(tail);
}
END_TEST

START_TEST(one_that_the_disk_has_stays) {
    struct tail *tail = make();
    ck_assert_int_eq(fdatasync(tail->fd), 0);
    ck_assert(!tail_clear(tail));
    ck_assert_int_eq(tail->base[0], 'x');
    tail_free(tail);
}
END_TEST

/* ---- while tails follow one another ---- */

static bool is_counted(void *cls, uint64_t shard, uint64_t window, uint64_t count) {
    (void)cls;
    return shard == window && count > 0;
}

static void say(void *cls, enum eventlog_grave grave, const char *text, const char *details) {
    (void)cls;
    ck_assert_msg(grave != EVENTLOG_ERROR, "%s %s", text, details);
}

struct seen {
    uint64_t next, damages;
};

static bool take_record(void *cls, const struct eventlog_record *record) {
    struct seen *seen = cls;
    const int64_t us = T0 + (int64_t)record->sequence - 1;
    seen->damages += record->sequence != seen->next || record->info.time_us != us;
    seen->next = record->sequence + 1;
    return true;
}

static void take_damage(void *cls, const struct eventlog_damage *damage) {
    struct seen *seen = cls;
    /* the end of what is there: the file behind it was listed, and its writer is on the way */
    seen->damages += damage->last != UINT64_MAX;
}

static uint64_t read_all(void) {
    struct seen seen = {.next = 1};
    char why[EVENTLOG_READ_WHY_MAX] = "";
    const struct eventlog_question question = {dir, INT64_MIN, INT64_MAX};
    ck_assert_msg(eventlog_read(&question,
                                &(const struct eventlog_taker){take_record, take_damage, &seen},
                                why),
                  "%s", why);
    ck_assert_uint_eq(seen.damages, 0);
    return seen.next - 1;
}

static void *run_writer(void *cls) {
    struct eventlog_writer *writer = cls;
    for (unsigned i = 0; i < EVENTS; i++) {
        ck_assert(eventlog_reserve_owner(writer, LINE_TIME_MAX, 1));
        eventlog_put_time_owner(writer, T0 + i, T0 + i + 5);
        eventlog_commit_owner(writer);
        if (i % 1000 == 0) {
            nanosleep(&(const struct timespec){.tv_nsec = 1000000}, NULL);
        }
    }
    return NULL;
}

START_TEST(a_reader_sees_each_record_once) {
    const struct eventlog_config config = {.dir = dir,
                                           .node = "n",
                                           .workers = 1,
                                           .tail_bytes = ROOM,
                                           .sync_us = 60000000,
                                           .judge = {is_counted, NULL},
                                           .say = say};
    char why[EVENTLOG_WHY_MAX] = "";
    pthread_t thread;
    struct eventlog *log = eventlog_open(&config, why);
    ck_assert_msg(log != NULL, "%s", why);
    ck_assert(eventlog_start(log));
    ck_assert_int_eq(pthread_create(&thread, NULL, run_writer, eventlog_writer(log, 0)), 0);
    uint64_t before = 0, records = 0;
    for (int i = 0; i < 100000 && records < EVENTS; i++) {
        records = read_all();
        ck_assert_uint_ge(records, before);
        before = records;
    }
    pthread_join(thread, NULL);
    ck_assert_uint_eq(read_all(), EVENTS);
    eventlog_close(log, INT64_MAX);
    ck_assert_uint_eq(read_all(), EVENTS);
}
END_TEST

#define FIXTURE                                                                                    \
    { .timeout_s = 120, .set_up = set_up, .tear_down = tear_down }

CHECK_MAIN_WITH(FIXTURE, "eventlog_tail", it_is_as_if_newly_made, one_that_somebody_reads_stays,
                one_that_the_disk_has_stays, a_reader_sees_each_record_once)
