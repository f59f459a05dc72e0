/* The banner, which tells a person who has just started the server where it listens, how to send an
 * event, and how to see the counts. */
#ifndef AFORO_SERVER_PROCESS_BANNER_H
#define AFORO_SERVER_PROCESS_BANNER_H

#include <stdbool.h>

enum banner_when { BANNER_AUTO, BANNER_ON, BANNER_OFF }; /* auto: if there is a terminal */

struct banner {
    const char *address;       /* where it listens, as ADDR:PORT */
    const char *admin_address; /* where readers ask; "": at the same address */
    bool tls;
    bool asks_writers, asks_readers; /* whether a token is needed */
};

/* Prints the banner on standard output, or on standard error if only that is a terminal. By main,
 * when everything is ready. */
void banner_print(enum banner_when when, const struct banner *banner);

#endif
