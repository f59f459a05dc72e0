/* What reports need of a source that source_redis_open has opened. */
#ifndef AFORO_TOOLS_CONSOLE_SOURCE_REDIS_H
#define AFORO_TOOLS_CONSOLE_SOURCE_REDIS_H

#include "redis/link.h"
#include "tools/console/source.h"

/* As source_redis_open, but without connecting: its `ready` connects. */
struct source *source_redis_new(const struct source_config *config, char why[SOURCE_WHY_MAX]);

/* Its link, connected or not. */
struct link *source_redis_peek(const struct source *source);

/* Its link, connected; NULL with `why` filled. */
struct link *source_redis_link(struct source *source, char why[SOURCE_WHY_MAX]);

/* Writes the link's sentence to `why`, after the name of the Redis. Returns false. */
bool source_redis_explain(const struct source *source, const char *sentence,
                          char why[SOURCE_WHY_MAX]);

#endif
