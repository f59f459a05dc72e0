/* The door: accepts, refuses whom there is no room for, and waits for the first bytes of a
 * connection, to give it the memory that fits: a small pool for requests of one event (the library
 * clears the pool for each), a large one for batches (a read of 64 KiB costs a third a line of what
 * a read of 4 KiB does). All workers see a newcomer; whoever is first takes it in, and passes it on
 * to the worker with the fewest connections. By the worker's own thread, but door_open and
 * door_free: these by main, before any worker runs and after all have ended. */
#ifndef AFORO_SERVER_NET_DOOR_H
#define AFORO_SERVER_NET_DOOR_H

#include "server/server.h"

/* A door on a duplicate of listen_fd; door_free frees it. NULL with errno set when it cannot be
 * made. */
struct door *door_open(struct worker *worker, int listen_fd);

/* Readable when door_turn has something to do. */
int door_fd(const struct door *door);

/* Lets in who is waiting, and hands those who have begun to speak to one of the worker's daemons.
 */
void door_turn(struct door *door);

/* Closes who has not said a word for --header-timeout; takes up accepting again when it had to
 * pause. Once a second. */
void door_tick(struct door *door, int64_t now_us);

/* Nobody is let in any more, nor taken over from other workers; who is in, stays. What had
 * connected before is taken in first: the kernel would reset it when the last listening socket is
 * closed. But when another process holds that socket, too, whoever still waits is left to the next
 * server. */
void door_shut(struct door *door);

/* Whether somebody came in after since_us (steady clock) and has not said a word. */
bool door_expects_first(const struct door *door, int64_t since_us);

/* A connection of this worker's that the door had let in has ended. */
void door_count_closed(struct worker *worker, const struct sockaddr *address);

/* Closes everybody who has not been handed on. */
void door_close(struct door *door);

/* NULL is fine. */
void door_free(struct door *door);

#endif
