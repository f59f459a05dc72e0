/* What the list of options cannot say of a setting. */
#ifndef AFORO_SERVER_CHECK_H
#define AFORO_SERVER_CHECK_H

#include "server/options.h"

#define CHECK_WHY_MAX 320

/* Whether the settings can be used, each by itself; `why` names the flag that cannot. Nothing is
 * opened or made. Before the threads start. */
bool check_options(const struct options *options, char why[CHECK_WHY_MAX]);

#endif
