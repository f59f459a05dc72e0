#include "server/process/signals.h"

#include "counters/time/window.h"
#include "server/process/clock.h"
#include "server/process/notify.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

static void fill(sigset_t *held) {
    sigemptyset(held);
    sigaddset(held, SIGTERM);
    sigaddset(held, SIGINT);
    sigaddset(held, SIGHUP);
}

void signals_hold(void) {
    sigset_t held;
    fill(&held);
    pthread_sigmask(SIG_BLOCK, &held, NULL);
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    /* at the limit of a file's size, the call fails, and that is reported */
    sigaction(SIGXFSZ, &ignore, NULL);
}

/* Waits for one of the signals in `taken`, or until until_us. */
static int wait_for(const sigset_t *taken, int64_t until_us, const struct signals_duties *duties) {
    const int64_t watchdog_us = notify_watchdog_us();
    const int64_t period_us =
        watchdog_us && watchdog_us / 2 < duties->tidy_us ? watchdog_us / 2 : duties->tidy_us;
    int64_t tidied_us = clock_steady_us();
    for (;;) {
        const int64_t left_us = until_us - clock_steady_us();
        const int64_t wait_us = left_us < period_us ? left_us : period_us;
        if (left_us <= 0) {
            return 0;
        }
        const struct timespec wait = {.tv_sec = wait_us / US_PER_S,
                                      .tv_nsec = wait_us % US_PER_S * 1000};
        const int signal = sigtimedwait(taken, NULL, &wait);
        if (signal == SIGHUP) {
            duties->reload(duties->cls);
        } else if (signal > 0) {
            return signal;
        }
        if (clock_steady_us() - tidied_us >= duties->tidy_us) {
            tidied_us = clock_steady_us();
            duties->tidy(duties->cls);
        }
        if (watchdog_us && clock_steady_us() - duties->alive_us(duties->cls) < watchdog_us) {
            notify_send("WATCHDOG=1");
        }
    }
}

int signals_wait(int64_t until_us, const struct signals_duties *duties) {
    sigset_t held;
    fill(&held);
    return wait_for(&held, until_us, duties);
}

void signals_pause(int64_t until_us, const struct signals_duties *duties) {
    sigset_t none;
    sigemptyset(&none);
    wait_for(&none, until_us, duties);
}

void signals_release(void) {
    sigset_t held;
    fill(&held);
    const struct sigaction by_default = {.sa_handler = SIG_DFL}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &by_default, NULL);
    sigaction(SIGINT, &by_default, NULL);
    sigaction(SIGHUP, &ignore, NULL); /* nothing is read again on the way out */
    pthread_sigmask(SIG_UNBLOCK, &held, NULL);
}
