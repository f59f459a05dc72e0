/* Which measures of one's own have ended the program: STATE/measures.aforo, a file of its own, so
 * that a fault in somebody's code is named at the next start, and set aside when it comes again.
 *
 *   file | the measures that were loaded here, and how often each crashed: one page |
 *        | what each thread is within: 64 bytes a thread |
 *
 * A thread stores the number of a measure in its place of the mapped file before it calls a
 * function of it, and 0 afterwards: no system call, and the kernel has it whatever becomes of the
 * process. A handler of the signals that a fault raises adds which one it was. So a process that
 * was killed from outside while a measure ran (kill -9, the watchdog, a lack of memory) blames
 * nobody.
 *
 * A measure is known by the digest of its file: a mended one begins anew. */
#ifndef AFORO_COUNTERS_MEASURES_OWN_CRASHES_H
#define AFORO_COUNTERS_MEASURES_OWN_CRASHES_H

#include "counters/measures/measure.h"

#define OWN_CRASHES_ASIDE 2      /* a measure that crashed so often is not loaded any more */
#define OWN_CRASHES_NAMES_MAX 64 /* measures that are remembered */
#define OWN_CRASHES_FILE "measures.aforo"
#define OWN_CRASHES_EXITED 255 /* instead of a signal: it called exit */
#define OWN_CRASHES_WHY_MAX 512

/* One file of a measure, by its bytes. */
struct own_crash {
    uint64_t digest;             /* XXH3 of the file */
    uint32_t crashes;            /* of this program within it */
    uint32_t signal;             /* of the last one, or OWN_CRASHES_EXITED */
    char name[MEASURE_NAME_MAX]; /* in `show:`; empty: it has never been loaded to the end */
};

/* ---- at start, by main's thread, before other threads call a measure ---- */

/* From now on crashes are kept in that directory, which is made when the first measure is loaded
 * and it is not there. `dir` stays. Without this call nothing is kept, as in the console program.
 */
void own_crashes_keep_in(const char *dir);

/* The place of a file that is about to be loaded: what is known of it, with its `crashes`; NULL
 * when nothing is kept. Reads the file of the directory at the first call, counts what the last run
 * left there, and installs the handlers. */
const struct own_crash *own_crashes_find(uint64_t digest);

/* Notes what the measure of a place is called. */
void own_crashes_name(const struct own_crash *crash, const char *name);

/* Why nothing is kept although own_crashes_keep_in asked for it; NULL: all is well. Another process
 * may have the file, or the disk may be full: the measures run, and the server should not. */
const char *own_crashes_why(void);

/* What the last run left: number i of those whose measure crashed then; NULL after the last. */
const struct own_crash *own_crashes_last(size_t i);

/* How many threads were within a measure when the last run was killed from outside. */
unsigned own_crashes_killed(void);

/* "SIGSEGV", "exit". */
const char *own_crashes_cause(const struct own_crash *crash);

/* ---- around each call of a measure's function; any thread ---- */

struct own_mark {
    _Alignas(64) word inside; /* number of the place, from 1 on; 0: no measure */
    word died;                /* the signal of the fault within it */
};

/* The thread's place, once it has called a measure. */
extern _Thread_local struct own_mark *own_mark;

/* Gives the thread its place. Its first call makes one system call, for a stack of the handler. */
struct own_mark *own_mark_claim(void);

/* The number of a place, for own_enter; 0 for NULL. */
uint32_t own_crashes_number(const struct own_crash *crash);

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
