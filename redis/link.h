/* One blocking connection to what a URL names - a server, the master according to Sentinel, or the
 * masters of a cluster - for one thread. Commands are queued and their replies fetched in the same
 * order: a pipeline. The program must ignore SIGPIPE.
 *
 * A link that is no longer connected has lost a connection, or a master to a failover. What was
 * acknowledged before may be lost as well, so a caller that must not lose anything connects again
 * and sends everything again. */
#ifndef AFORO_REDIS_LINK_H
#define AFORO_REDIS_LINK_H

#include "redis/command.h"
#include "redis/wire.h"

#include <hiredis/hiredis.h>
#include <stdatomic.h>
#include <stdint.h>

#define LINK_WHY_MAX WIRE_WHY_MAX
#define LINK_PIPELINE_MAX REDIS_PIPELINE_MAX

struct link;

/* Makes a link that is not connected; `url` is copied. timeout_ms (> 0) limits the time for
 * connecting and for each complete reply. NULL when memory runs out. Free it with link_free (NULL
 * is allowed). */
struct link *link_new(const struct redis_url *url, long timeout_ms);
void link_free(struct link *link);

/* Sets a check for every server the link connects to. Before connecting. */
void link_set_check(struct link *link, wire_check *check, void *cls);

/* No wait lasts beyond *until_ms (wire_now_ms: a steady clock), which any thread may change at any
 * time; an operation in progress then fails within a tenth of a second. Before connecting; until_ms
 * must outlive the link. */
void link_set_until(struct link *link, const _Atomic int64_t *until_ms);

/* The same limit for what the link's thread does next, until it is set again; INT64_MAX: none. */
void link_set_end(struct link *link, int64_t end_ms);

/* Connects, authenticates and selects the database. In a cluster: to all reachable masters, at
 * least one. False fills `why` (LINK_WHY_MAX): address and reason. */
bool link_connect(struct link *link, char *why);
bool link_connected(const struct link *link);
void link_close(struct link *link);

/* Queues a command. False fills `why`, and the link is closed. Commands must be safe to repeat: a
 * cluster that moves slots or fails over may get one twice. */
bool link_append(struct link *link, const struct redis_command *command, char *why);

/* The reply to the oldest queued command; the caller frees it (freeReplyObject). REDIS_REPLY_ERROR
 * counts as a reply: the link stays open. NULL fills `why`: no reply came. A link to a single
 * server is then closed, and its queue is dropped. In a cluster, keep fetching: the other nodes
 * have the other replies. */
redisReply *link_reply(struct link *link, char *why);

/* Whether there are replies to fetch. */
bool link_pending(const struct link *link);

/* Whether commands may be queued while there are replies to fetch. Not in a cluster: there a queue
 * is sent as a whole, and all of its replies must be fetched before the next one begins. */
bool link_takes_more(const struct link *link);

/* Which of the link's servers has a key. In a cluster a small number that does not change while the
 * connection lasts and no slots move; else 0. */
unsigned link_server(const struct link *link, const char *key, size_t len);

/* The number of groups that nodes are spread over (schema.h): SCHEMA_GROUPS_MAX in a cluster, else
 * 1. */
unsigned link_groups(const struct link *link);

/* The address for messages, without the password. Owned by the link. */
const char *link_address(const struct link *link);

#endif
