/* What the list of options cannot say of a setting. */
#ifndef AFORO_SERVER_CHECK_H
#define AFORO_SERVER_CHECK_H

#include "redis/url.h"
#include "server/options.h"

#define CHECK_WHY_MAX 320

/* Whether the settings can be used, each by itself; `why` names the flag that cannot. Nothing is
 * made. Before the threads start. */
bool check_options(const struct options *options, char why[CHECK_WHY_MAX]);

/* The same of --redis, which may be empty, and of --redis-tls-...: their files are read. */
bool check_redis(const struct options *options, char why[CHECK_WHY_MAX]);

/* --redis-tls-... as redis/ takes them. */
struct redis_tls_options check_redis_tls(const struct options *options);

#endif
