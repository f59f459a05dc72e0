/* The signals that aforod obeys, which only main's thread takes, and the watchdog, which main
 * notifies while it waits. */
#ifndef AFORO_SERVER_PROCESS_SIGNALS_H
#define AFORO_SERVER_PROCESS_SIGNALS_H

#include <stdint.h>

/* What main does while it waits. */
struct signals_duties {
    void (*reload)(void *cls); /* on SIGHUP */
    void (*tidy)(void *cls);   /* every tidy_us */
    int64_t tidy_us;
    /* when the thread that was silent longest last gave a sign of life (steady clock); the watchdog
     * is notified while that is less than its period ago */
    int64_t (*alive_us)(void *cls);
    void *cls;
};

/* Holds SIGTERM, SIGINT and SIGHUP back until signals_wait takes them, and ignores SIGPIPE and
 * SIGXFSZ, so that the calls that cause them fail instead. Before the first thread starts, since
 * threads inherit this. */
void signals_hold(void);

/* Waits for SIGTERM or SIGINT and returns it; returns 0 at until_us (steady clock; INT64_MAX:
 * never). */
int signals_wait(int64_t until_us, const struct signals_duties *duties);

/* Waits until until_us (steady clock); takes no signals, but does the other duties. After
 * signals_release, when a signal ends the process. */
void signals_pause(int64_t until_us, const struct signals_duties *duties);

/* From now on SIGTERM and SIGINT end the process at once, and SIGHUP does nothing. */
void signals_release(void);

#endif
