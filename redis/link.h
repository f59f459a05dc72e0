/* One blocking connection to where a URL points - a server, the master that Sentinel names, or the
 * masters of a cluster - for one thread. Commands are queued and their replies fetched in the same
 * order: a pipeline. The program must ignore SIGPIPE.
 *
 * A link that is not connected has lost something: a connection, or a master to a failover. What
 * was acknowledged before may be gone with it, so whoever must not lose anything connects again and
 * says everything again. */
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

/* A link that is not connected; url is copied. timeout_ms (> 0) bounds connecting and the wait for
 * each reply, as a whole. NULL when out of memory. Freed by link_free (NULL is allowed). */
struct link *link_new(const struct redis_url *url, long timeout_ms);
void link_free(struct link *link);

/* Has every server checked that the link connects to. Before connecting. */
void link_set_check(struct link *link, wire_check *check, void *cls);

/* No wait goes past *until_ms (wire_now_ms: a steady clock), which any thread may change at any
 * time; what is under way then fails within a tenth of a second. Before connecting; until_ms must
 * outlive the link. */
void link_set_until(struct link *link, const _Atomic int64_t *until_ms);

/* The same for what the link's thread does next, until it says otherwise; INT64_MAX: no end. */
void link_set_end(struct link *link, int64_t end_ms);

/* Connects, authenticates, selects the database. In a cluster: to all masters that can be reached,
 * at least one. False fills why (LINK_WHY_MAX): address, reason. */
bool link_connect(struct link *link, char *why);
bool link_connected(const struct link *link);
void link_close(struct link *link);

/* Queues a command. False fills why, and the link is closed. Commands must bear repetition: a
 * cluster that moves slots or fails over may get one twice. */
bool link_append(struct link *link, const struct redis_command *command, char *why);

/* The reply to the oldest queued command; the caller frees it (freeReplyObject). A reply of type
 * REDIS_REPLY_ERROR is a reply: the link stays. NULL fills why: no reply came. A link to one server
 * is then closed, and what was queued is forgotten. In a cluster, go on: the other nodes have the
 * other replies. */
redisReply *link_reply(struct link *link, char *why);

/* True while replies are to be fetched. */
bool link_pending(const struct link *link);

/* Whether commands may be queued while replies are to be fetched. Not in a cluster: there a queue
 * goes out as a whole, and all of its replies are fetched before the next one begins. */
bool link_takes_more(const struct link *link);

/* Which of its servers has a key. In a cluster a small number, which stays the same as long as the
 * connection lasts and slots do not move; else 0. */
unsigned link_server(const struct link *link, const char *key, size_t len);

/* Over how many groups its nodes are spread (schema.h): SCHEMA_GROUPS_MAX in a cluster, else 1. */
unsigned link_groups(const struct link *link);

/* For messages; no password in it. */
const char *link_address(const struct link *link);

#endif
