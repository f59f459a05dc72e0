/* What a person who has just started the server wants to know: where it listens, how to send an
 * event, how to see the counts. */
#ifndef AFORO_SERVER_PROCESS_BANNER_H
#define AFORO_SERVER_PROCESS_BANNER_H

#include <stdbool.h>

enum banner_when { BANNER_AUTO, BANNER_ON, BANNER_OFF }; /* auto: when a terminal is there */

struct banner {
    const char *address;       /* where it listens, as ADDR:PORT */
    const char *admin_address; /* where it is read; "": at the same place */
    bool tls;
    bool asks_writers, asks_readers; /* for a token */
};

/* Prints it on standard output, or on standard error if only that is a terminal. Main's thread,
 * once all is ready. */
void banner_print(enum banner_when when, const struct banner *banner);

#endif
