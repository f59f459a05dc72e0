/* One blocking connection to where a URL points, for one thread. Commands are queued, and their replies fetched in the same
 * order: a pipeline. Any failure of the transport closes the link; connect again. The program must ignore SIGPIPE. */
#ifndef AFORO_REDIS_LINK_H
#define AFORO_REDIS_LINK_H

#include "redis/url.h"

#include <hiredis/hiredis.h>

#define LINK_WHY_MAX 256

struct link;

/* A link that is not connected; url is copied. timeout_ms bounds the connecting and the wait for each reply. NULL when out
 * of memory. Freed by link_free (NULL is allowed). */
struct link *link_new(const struct redis_url *url, long timeout_ms);
void link_free(struct link *link);

/* Connects, authenticates, selects the database. False fills why (LINK_WHY_MAX): address, reason. */
bool link_connect(struct link *link, char *why);
bool link_connected(const struct link *link);
void link_close(struct link *link);

/* Queues a command; false fills why, and the link is closed. */
bool link_append(struct link *link, int argc, const char **argv, const size_t *lens, char *why);

/* The next reply; the caller frees it (freeReplyObject). NULL fills why, and the link is closed. A reply of type
 * REDIS_REPLY_ERROR is a reply: the link stays. */
redisReply *link_reply(struct link *link, char *why);

/* Append and reply of a command of NUL-terminated words. */
redisReply *link_command(struct link *link, int argc, const char **argv, char *why);

/* For messages; no password in it. */
const char *link_address(const struct link *link);

#endif
