/* Which loaded measures have crashed the program: kept in STATE/measures.aforo, a file of its own,
 * so that a fault in somebody's code is named at the next start, and the measure is set aside when
 * it happens again.
 *
 *   file | the measures that were loaded here, and how often each crashed: one page |
 *        | which measure each thread is in: 64 bytes a thread |
 *
 * Before a thread calls a function of a measure it stores the measure's number in its place of the
 * mapped file, and 0 afterwards. That needs no system call, and the kernel keeps it whatever
 * happens to the process. A handler of the signals that faults raise adds which signal it was. So
 * when a process was killed from outside while a measure ran (kill -9, the watchdog, lack of
 * memory), no measure is blamed.
 *
 * A measure is identified by the digest of its file: a repaired one starts afresh. */
#ifndef AFORO_COUNTERS_MEASURES_OWN_CRASHES_H
#define AFORO_COUNTERS_MEASURES_OWN_CRASHES_H

#include "counters/measures/measure.h"

#define OWN_CRASHES_ASIDE 2      /* after this many crashes a measure is no longer loaded */
#define OWN_CRASHES_NAMES_MAX 64 /* measures remembered */
#define OWN_CRASHES_FILE "measures.aforo"
#define OWN_CRASHES_EXITED 255 /* in place of a signal: the measure called exit */
#define OWN_CRASHES_WHY_MAX 512

/* One shared object, identified by its contents. */
struct own_crash {
    uint64_t digest;             /* XXH3 of the file */
    uint32_t crashes;            /* times the program crashed in it */
    uint32_t signal;             /* of the last one, or OWN_CRASHES_EXITED */
    char name[MEASURE_NAME_MAX]; /* as in `show:`; empty: loading it never finished */
};

/* ---- at start, by main's thread, before other threads call a measure ---- */

/* From now on crashes are recorded in the directory `dir`, which is created when the first measure
 * is loaded and it is missing. `dir` must stay valid. Without this call nothing is recorded, as in
 * the console program. */
void own_crashes_keep_in(const char *dir);

/* The entry of a file that is about to be loaded, with its `crashes`; NULL when nothing is
 * recorded. The first call reads the directory's file, counts what the last run left there, and
 * installs the signal handlers. */
const struct own_crash *own_crashes_find(uint64_t digest);

/* Sets the measure's name in its entry. */
void own_crashes_name(const struct own_crash *crash, const char *name);

/* Why nothing is recorded although own_crashes_keep_in asked for it; NULL when it is. Another
 * process may hold the file, or the disk may be full: that must not stop the measures or the
 * server. */
const char *own_crashes_why(void);

/* Measure number i of those that crashed in the last run; NULL after the last. */
const struct own_crash *own_crashes_last(size_t i);

/* How many threads were in a measure when the last run was killed from outside. */
unsigned own_crashes_killed(void);

/* The cause as text: "SIGSEGV", "exit". */
const char *own_crashes_cause(const struct own_crash *crash);

/* ---- around each call of a measure's function; any thread ---- */

struct own_mark {
    _Alignas(64) word inside; /* number of the entry, from 1 on; 0: in no measure */
    word died;                /* signal of the fault in it */
};

/* The calling thread's mark; NULL until it first calls a measure. */
extern _Thread_local struct own_mark *own_mark;

/* Gives the calling thread its mark. The first call makes one system call, for the handler's
 * stack. */
struct own_mark *own_mark_claim(void);

/* The number of an entry, for own_enter; 0 for NULL. */
uint32_t own_crashes_number(const struct own_crash *crash);

/* To be called before and after a measure's function. No system call after the thread's first. */
static inline void own_enter(uint32_t number) {
    struct own_mark *mark = own_mark;
    if (__builtin_expect(!mark, 0)) {
        mark = own_mark_claim();
    }
    atomic_store_explicit(&mark->inside, number, memory_order_relaxed);
    atomic_signal_fence(
        memory_order_seq_cst); /* partner: the handler, and whoever reads the file */
}

static inline void own_leave(void) {
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&own_mark->inside, 0, memory_order_relaxed);
}

#endif
