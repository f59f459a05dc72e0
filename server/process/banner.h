/* What a person who has just started the server wants to know: where it listens, how to send an
 * event, how to see the counts. */
#ifndef AFORO_SERVER_PROCESS_BANNER_H
#define AFORO_SERVER_PROCESS_BANNER_H

#include "server/options.h"

/* Whether --banner is one of its three words. */
bool banner_is_valid(const char *when);

/* Prints it as --banner asks: `on`, or when a terminal is there to read it; on standard output, or
 * on standard error if only that is a terminal. address: where it listens, as ADDR:PORT;
 * admin_address: where it is read, empty when there is no
 * --admin-listen. Main's thread, once all is ready. */
void banner_print(const struct options *options, const char *address, const char *admin_address);

#endif
