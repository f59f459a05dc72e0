/* One real Redis, new for each test, and stores that use it: what the programs test_store_* share.
 */
#ifndef AFORO_TESTS_REDIS_ONE_SERVER_H
#define AFORO_TESTS_REDIS_ONE_SERVER_H

#include "redis/schema.h"
#include "server/flush/store_redis.h"
#include "tests/redis/lab.h"

#define CHUNK INT64_C(1795000000) /* a second: 2026-11-18T11:06:40 */
#define KEY "aforo:2:{10ms:2026-11-18T11:06:40}"
#define TIMEOUT_MS 5000
#define SHORT_MS 1000
#define HOUR_S 3600

/* the last hour that is over for good */
#define CLOSABLE (schema_closable_hour(wall_us() / US_PER_S))

/* Of the test that runs. */
extern struct lab_server server;
extern char url[128];
extern char store_why[STORE_WHY_MAX]; /* of the last failure */

/* Runs the tests, each with a server of its own; main's exit status. */
int one_server_run(const char *name, const TTest *const *tests, size_t n);

/* A store at that URL, connected; the test fails when it cannot be. */
struct store *ready_store(const char *at, const char *node, int64_t timeout_ms);

/* The same with an owner, a time to live of 10 ms windows, and a horizon. */
struct store *store_of(const char *node, const char *owner, int64_t ttl_s, int64_t horizon_s);

/* The test fails when a store at that URL connects, or does not say why not. */
void must_not_connect(const char *at, const char *reason);

/* One chunk with one window in slot 7. */
struct store_chunk chunk_of(int64_t chunk, uint64_t count);

/* Sends what is there and what is to be; the outcome. */
struct store_ack send_from(struct store *store, uint64_t there, uint64_t count);
enum store_outcome send_count(struct store *store, uint64_t count);

/* Sends that count; what the part had before. */
uint64_t had(struct store *store, uint64_t count);

/* The sum of the store's own part of a chunk of 10 ms windows. */
uint64_t sum_of(struct store *store, int64_t chunk);

enum store_lease lease(struct store *store, const char *owner, char holder[STORE_HOLDER_MAX]);

int64_t wall_us(void);

#endif
