#define XXH_INLINE_ALL
#include "counters/measures/own_crashes.h"

#include "counters/measures/own.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define VERSION 1
#define PAGE 4096
#define PLACES 300 /* threads that may call a measure: 256 workers and a few more */
#define FILE_BYTES sizeof(struct own_file)
#define STACK_BYTES 16384 /* for the handler: a measure may have exhausted the thread's own */

static const char MAGIC[8] = {'a', 'f', 'o', 'r', 'o', 'm', '\n', 0x1a};

/* The first page. All fields before `checksum` are covered by it. */
struct own_list {
    char magic[8];
    uint32_t version, n;
    struct own_crash crash[OWN_CRASHES_NAMES_MAX];
    uint64_t checksum;
};

struct own_file {
    unsigned char list[PAGE];
    struct own_mark mark[PLACES];
};

_Static_assert(sizeof(struct own_list) <= PAGE, "the list is one page");

static struct {
    const char *dir; /* NULL: nothing is recorded */
    bool opened;
    int fd;
    struct own_list list;
    bool used[OWN_CRASHES_NAMES_MAX]; /* in this run */
    struct own_file *file;            /* mapped */
    struct own_mark *mark;            /* [PLACES] in it; NULL: nothing is recorded */
    _Atomic unsigned claimed;
    const struct own_crash *last[OWN_CRASHES_NAMES_MAX + 1];
    unsigned killed;
    char why[OWN_CRASHES_WHY_MAX];
} kept = {.fd = -1};

_Thread_local struct own_mark *own_mark;
static _Thread_local struct own_mark unkept; /* used when nothing is recorded */
static unsigned char stacks[PLACES][STACK_BYTES];

/* ---- the handler ---- */

static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

#define FAULTS (sizeof faults / sizeof faults[0])

static struct sigaction before[FAULTS];

/* Whether the thread itself raised it: a signal from outside does not blame the measure it is
 * in. */
static bool is_own(const siginfo_t *info) {
    return info->si_code > 0 || (info->si_code == SI_TKILL && info->si_pid == getpid());
}

/* Records it, then lets the signal take its usual effect. */
static void note_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    struct own_mark *mark = own_mark;
    if (mark && is_own(info) && atomic_load_explicit(&mark->inside, memory_order_relaxed) != 0) {
        atomic_store_explicit(&mark->died, (uint64_t)signal, memory_order_relaxed);
    }
    for (size_t i = 0; i < FAULTS; i++) {
        if (faults[i] == signal) {
            sigaction(signal, &before[i], NULL);
        }
    }
    if (info->si_code <= 0) { /* a fault recurs by itself, this does not */
        raise(signal);
    }
}

static void note_exit(void) {
    if (own_mark && atomic_load_explicit(&own_mark->inside, memory_order_relaxed) != 0) {
        atomic_store_explicit(&own_mark->died, OWN_CRASHES_EXITED, memory_order_relaxed);
    }
}

static void install_handlers(void) {
    struct sigaction action = {.sa_sigaction = note_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < FAULTS; i++) {
        sigaction(faults[i], &action, &before[i]);
    }
    atexit(note_exit);
}

/* An endless recursion leaves the thread no stack to run the handler on. Sanitizers provide one of
 * their own. */
static void give_stack(unsigned place) {
    stack_t there;
    if (sigaltstack(NULL, &there) == 0 && (there.ss_flags & SS_DISABLE) != 0) {
        const stack_t own = {.ss_sp = stacks[place], .ss_size = STACK_BYTES};
        sigaltstack(&own, NULL);
    }
}

struct own_mark *own_mark_claim(void) {
    const unsigned place =
        kept.mark ? atomic_fetch_add_explicit(&kept.claimed, 1, memory_order_relaxed) : PLACES;
    own_mark = &unkept;
    if (place < PLACES) {
        own_mark = &kept.mark[place];
        give_stack(place);
    }
    return own_mark;
}

/* ---- the file ---- */

static uint64_t sum_list(const struct own_list *list) {
    return XXH3_64bits(list, offsetof(struct own_list, checksum));
}

static bool refuse(const char *what) {
    snprintf(kept.why, sizeof kept.why, "%.300s/" OWN_CRASHES_FILE ": %.100s", kept.dir, what);
    return false;
}

static bool write_list(void) {
    kept.list.checksum = sum_list(&kept.list);
    return (pwrite(kept.fd, &kept.list, sizeof kept.list, 0) == (ssize_t)sizeof kept.list &&
            fdatasync(kept.fd) == 0) ||
           refuse(strerror(errno));
}

/* A file torn by a power loss is discarded: it is about crashes, not about counts. */
static bool read_list(void) {
    struct own_list *list = &kept.list;
    const ssize_t n = pread(kept.fd, list, sizeof *list, 0);
    const bool ours = n == (ssize_t)sizeof *list && memcmp(list->magic, MAGIC, sizeof MAGIC) == 0;
    if (ours && list->version != VERSION) {
        return refuse("is of another version of this program; remove it");
    }
    if (!ours || list->n > OWN_CRASHES_NAMES_MAX || list->checksum != sum_list(list)) {
        *list = (struct own_list){.version = VERSION};
        memcpy(list->magic, MAGIC, sizeof MAGIC);
    }
    for (size_t i = 0; i < list->n; i++) {
        list->crash[i].name[MEASURE_NAME_MAX - 1] = '\0';
    }
    return true;
}

static bool open_file(void) {
    char path[4096];
    if (mkdir(kept.dir, 0750) && errno != EEXIST) {
        return refuse(strerror(errno));
    }
    if (snprintf(path, sizeof path, "%s/" OWN_CRASHES_FILE, kept.dir) >= (int)sizeof path) {
        return refuse("the state directory's name is too long");
    }
    kept.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    if (kept.fd < 0) {
        return refuse(strerror(errno));
    }
    if (flock(kept.fd, LOCK_EX | LOCK_NB)) {
        return refuse("another server uses this state directory; give each its own --state");
    }
    const int error = posix_fallocate(kept.fd, 0, (off_t)FILE_BYTES);
    return error == 0 || refuse(strerror(error));
}

static bool map_marks(void) {
    kept.file = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, kept.fd, 0);
    if (kept.file == MAP_FAILED) {
        return refuse(strerror(errno));
    }
    kept.mark = kept.file->mark;
    return true;
}

static void note_last(struct own_crash *crash, uint32_t signal) {
    size_t n = 0;
    while (kept.last[n] && kept.last[n] != crash) {
        n++;
    }
    if (!kept.last[n]) { /* two threads of one run count as one crash */
        kept.last[n] = crash;
        crash->crashes++;
    }
    crash->signal = signal;
}

/* Reads what the last run left in its threads' places. They are cleared before the list is written:
 * a kill in between forgets a crash instead of counting it twice. */
static bool take_marks(void) {
    for (size_t i = 0; i < PLACES; i++) {
        struct own_mark *mark = &kept.mark[i];
        const uint64_t inside = atomic_load(&mark->inside), died = atomic_load(&mark->died);
        atomic_store(&mark->inside, 0);
        atomic_store(&mark->died, 0);
        if (inside > 0 && inside <= kept.list.n && died > 0 && died <= OWN_CRASHES_EXITED) {
            note_last(&kept.list.crash[inside - 1], (uint32_t)died);
        } else if (inside > 0) {
            kept.killed++;
        }
    }
    return write_list();
}

static bool open_once(void) {
    if (!kept.opened && kept.dir) {
        kept.opened = true;
        if (open_file() && read_list() && map_marks() && take_marks()) {
            install_handlers();
        } else {
            kept.mark = NULL;
        }
    }
    return kept.mark != NULL;
}

/* ---- places ---- */

void own_crashes_keep_in(const char *dir) {
    kept.dir = dir;
}

/* An entry for another file: the first free one, or else that of a measure that was not loaded in
 * this run, preferably one that never crashed. */
static size_t take_place(void) {
    struct own_list *list = &kept.list;
    if (list->n < OWN_CRASHES_NAMES_MAX) {
        return list->n++;
    }
    size_t found = OWN_CRASHES_NAMES_MAX;
    for (size_t i = OWN_CRASHES_NAMES_MAX; i-- > 0;) {
        const bool better = found == OWN_CRASHES_NAMES_MAX || list->crash[i].crashes == 0 ||
                            /* cppcheck-suppress arrayIndexOutOfBounds ; not where none is found */
                            list->crash[found].crashes > 0;
        found = !kept.used[i] && better ? i : found;
    }
    return found;
}

_Static_assert(OWN_CRASHES_NAMES_MAX > OWN_MAX, "there is one that is not loaded");

const struct own_crash *own_crashes_find(uint64_t digest) {
    if (!open_once()) {
        return NULL;
    }
    size_t i = 0;
    while (i < kept.list.n && kept.list.crash[i].digest != digest) {
        i++;
    }
    if (i == kept.list.n) {
        i = take_place();
        kept.list.crash[i] = (struct own_crash){.digest = digest};
        write_list();
    }
    kept.used[i] = true;
    return &kept.list.crash[i];
}

void own_crashes_name(const struct own_crash *crash, const char *name) {
    if (crash && strcmp(crash->name, name) != 0) {
        struct own_crash *its = &kept.list.crash[crash - kept.list.crash];
        snprintf(its->name, sizeof its->name, "%s", name);
        write_list();
    }
}

uint32_t own_crashes_number(const struct own_crash *crash) {
    return crash ? (uint32_t)(crash - kept.list.crash) + 1 : 0;
}

const char *own_crashes_why(void) {
    return *kept.why ? kept.why : NULL;
}

const struct own_crash *own_crashes_last(size_t i) {
    return kept.last[i];
}

unsigned own_crashes_killed(void) {
    return kept.killed;
}

const char *own_crashes_cause(const struct own_crash *crash) {
    static const char *const names[FAULTS] = {"SIGSEGV", "SIGBUS",  "SIGFPE", "SIGILL",
                                              "SIGABRT", "SIGTRAP", "SIGSYS"};
    for (size_t i = 0; i < FAULTS; i++) {
        if ((uint32_t)faults[i] == crash->signal) {
            return names[i];
        }
    }
    return "exit";
}
