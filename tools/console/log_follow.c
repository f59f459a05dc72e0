#include "tools/console/log_follow.h"

#include "tools/console/reach.h"
#include "tools/console/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* how long a signal that comes just before a sleep waits at most */
#define SLICE_US INT64_C(100000)
#define TRY_AGAIN_US INT64_C(1000000)
/* how often the cursor is written when the output is standard output */
#define CURSOR_US INT64_C(1000000)

static volatile sig_atomic_t asked_to_end;

static void on_signal(int signal_number) {
    (void)signal_number;
    asked_to_end = 1;
}

static int64_t steady_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool wait_us(int64_t us) {
    for (; !asked_to_end && us > 0; us -= SLICE_US) {
        const struct timespec slice = {.tv_nsec = (long)((us < SLICE_US ? us : SLICE_US) * 1000)};
        nanosleep(&slice, NULL);
    }
    return !asked_to_end;
}

bool log_follow_wait(void *cls) {
    (void)cls;
    return wait_us(TRY_AGAIN_US);
}

/* Without SA_RESTART; a second signal has its previous effect. */
static void catch_signals(void) {
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- the cursor ---- */

/* Notes that everything before the follower's positions was delivered. */
static bool note_positions(struct log_cat *cat) {
    struct eventlog_position position;
    size_t n = 0;
    for (size_t i = 0; eventlog_follow_position(cat->follower, i, &position); i++) {
        if (position.next == 0)
            continue; /* it has no record yet */
        if (n == cat->behinds_cap) {
            const size_t cap = n * 2 + 16;
            struct eventlog_position *more = realloc(cat->behind, cap * sizeof *more);
            if (more == NULL) {
                terminal_complain("out of memory");
                return false;
            }
            cat->behind = more;
            cat->behinds_cap = cap;
        }
        cat->moved = cat->moved || n >= cat->behinds || cat->behind[n].next != position.next;
        cat->behind[n++] = position;
    }
    cat->behinds = n;
    return true;
}

static bool write_cursor(struct log_cat *cat) {
    char why[LOG_CURSOR_WHY_MAX];
    if (!cat->has_cursor || !cat->moved)
        return true;
    if (!log_cursor_write(&cat->cursor, cat->behind, cat->behinds, why)) {
        terminal_complain("--cursor: %s", why);
        cat->failed = true;
        return false;
    }
    cat->moved = false;
    cat->written_us = steady_us();
    return true;
}

static bool flush(struct log_cat *cat) {
    if (!log_output_flush(&cat->output)) {
        if (cat->output.error == 0)
            terminal_complain("--into: the last batch was not taken; it is given again next time");
        cat->failed = true;
        return false;
    }
    cat->flushed_us = steady_us();
    if (!note_positions(cat)) {
        cat->failed = true;
        return false;
    }
    const bool now = cat->output.command != NULL || cat->flushed_us - cat->written_us >= CURSOR_US;
    return !now || write_cursor(cat);
}

/* ---- rounds ---- */

static void say_waiting(const struct log_cat *cat, const char *dir) {
    struct eventlog_position position;
    if (cat->follows && !eventlog_follow_position(cat->follower, 0, &position))
        terminal_complain("%s: there is no event log yet: waiting for it", dir);
}

/* Runs rounds until the end. False: it failed. */
static bool go_round(struct log_cat *cat) {
    char why[EVENTLOG_READ_WHY_MAX];
    enum eventlog_round round = EVENTLOG_IDLE;
    while (!asked_to_end) {
        round = eventlog_follow_round(cat->follower, why);
        if (round == EVENTLOG_STOPPED)
            return true; /* the flush has printed why */
        const bool due = steady_us() - cat->flushed_us >= cat->every_us;
        if ((round != EVENTLOG_GIVEN || due) && !flush(cat))
            return true;
        if (round == EVENTLOG_FAILED)
            break;
        if (round == EVENTLOG_IDLE && (!cat->follows || !wait_us(cat->every_us)))
            break;
    }
    if (round == EVENTLOG_FAILED)
        terminal_complain("%s", why);
    return flush(cat) && round != EVENTLOG_FAILED;
}

static bool open_follower(struct log_cat *cat, const struct eventlog_question *question,
                          const struct eventlog_taker *taker) {
    char why[EVENTLOG_READ_WHY_MAX];
    const bool goes_on = cat->has_cursor && !cat->cursor.begins;
    const struct eventlog_following following = {*question, goes_on ? cat->cursor.position : NULL,
                                                 goes_on ? cat->cursor.positions : 0,
                                                 cat->has_cursor || cat->number};
    cat->follower = eventlog_follow(&following, taker, why);
    if (cat->follower == NULL) {
        reach_note_path(question->dir);
        terminal_complain("%s", why);
    }
    return cat->follower != NULL;
}

bool log_follow(struct log_cat *cat, const struct eventlog_question *question,
                const struct eventlog_taker *taker, const char *cursor) {
    char why[LOG_CURSOR_WHY_MAX];
    cat->has_cursor = *cursor != '\0';
    if (cat->has_cursor && !log_cursor_open(&cat->cursor, cursor, why)) {
        terminal_complain("--cursor: %s", why);
        return false;
    }
    cat->flush = flush;
    catch_signals();
    bool ok = open_follower(cat, question, taker);
    if (ok) {
        say_waiting(cat, question->dir);
        cat->flushed_us = steady_us();
        ok = go_round(cat);
        ok = write_cursor(cat) && ok;
    }
    eventlog_follow_end(cat->follower);
    if (cat->has_cursor)
        log_cursor_close(&cat->cursor);
    free(cat->behind);
    return ok;
}
