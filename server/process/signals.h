/* The signals that aforod obeys, taken by main's thread alone, and the watchdog, which main tells
 * meanwhile. */
#ifndef AFORO_SERVER_PROCESS_SIGNALS_H
#define AFORO_SERVER_PROCESS_SIGNALS_H

#include <stdint.h>

/* What there is to do while main waits. */
struct signals_duties {
    void (*reload)(void *cls); /* on SIGHUP */
    void (*tidy)(void *cls);   /* every tidy_us */
    int64_t tidy_us;
    /* the steady clock time of the oldest sign of life that is known; the watchdog hears of it
     * while that is younger than its period */
    int64_t (*alive_us)(void *cls);
    void *cls;
};

/* Holds SIGTERM, SIGINT and SIGHUP back until signals_wait takes them, and has the calls that
 * SIGPIPE and SIGXFSZ would interrupt fail instead. Before the first thread starts: all inherit it.
 */
void signals_hold(void);

/* Waits for SIGTERM or SIGINT, which it returns, or until then (steady clock; INT64_MAX: for ever),
 * when it returns 0. */
int signals_wait(int64_t until_us, const struct signals_duties *duties);

/* Until then (steady clock) only the watchdog is told. After signals_release: a signal ends the
 * process. */
void signals_pause(int64_t until_us, const struct signals_duties *duties);

/* From now on SIGTERM and SIGINT end the process at once, and SIGHUP does nothing. */
void signals_release(void);

#endif
