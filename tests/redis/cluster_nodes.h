/* Six real cluster nodes, new for each test, and a driver that uses them: what the programs
 * test_cluster_* share. */
#ifndef AFORO_TESTS_REDIS_CLUSTER_NODES_H
#define AFORO_TESTS_REDIS_CLUSTER_NODES_H

#include "redis/cluster.h"
#include "tests/redis/driver.h"
#include "tests/redis/lab.h"

#define NODES 6
#define MASTERS 3
#define SLOTS_EACH (CLUSTER_SLOTS / MASTERS)
#define TIMEOUT_MS 2000
#define SETTLE_MS 60000
#define NODE_ID_MAX 64

/* Of the test that runs. The first three nodes are masters of a third of the slots each, node i + 3
 * is the replica of node i. All that the driver counted so far is acknowledged. */
extern struct lab_server node[NODES];
extern char node_ids[NODES][NODE_ID_MAX]; /* as the cluster names them */
extern char url[160];
extern char store_why[STORE_WHY_MAX]; /* of the last failure */
extern struct driver driver;

/* Runs the tests, each with nodes of its own; main's exit status. */
int cluster_nodes_run(const char *name, const TTest *const *tests, size_t n);

uint16_t slot_of(const struct store_chunk *chunk);

/* The number of the chunk's master at the start. */
int master_of(const struct store_chunk *chunk);

/* The number of a chunk of the driver whose slot is that master's at the start. */
unsigned chunk_on(int master);

/* Counts and sends for a while. */
void load_for(int64_t ms);

#endif
