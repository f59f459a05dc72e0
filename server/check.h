/* Checks of settings that the list of options cannot express. */
#ifndef AFORO_SERVER_CHECK_H
#define AFORO_SERVER_CHECK_H

#include "redis/url.h"
#include "server/options.h"

#define CHECK_WHY_MAX 320

/* Whether each setting can be used; `why` names the flag of one that cannot. Opens nothing that
 * lasts. Before the threads start. */
bool check_options(const struct options *options, char why[CHECK_WHY_MAX]);

/* The same for --redis, which may be empty, and --redis-tls-..., whose files are read. */
bool check_redis(const struct options *options, char why[CHECK_WHY_MAX]);

/* The --redis-tls-... options as redis/ takes them; the strings are those of *options. */
struct redis_tls_options check_redis_tls(const struct options *options);

#endif
