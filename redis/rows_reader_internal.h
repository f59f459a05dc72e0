/* What rows_reader.c and rows_reader_batch.c share: one window while it is being read. Used by the
 * link's thread. */
#ifndef AFORO_REDIS_ROWS_READER_INTERNAL_H
#define AFORO_REDIS_ROWS_READER_INTERNAL_H

#include "redis/rows_pack.h"
#include "redis/rows_reader.h"
#include "redis/words.h"

#define ROWS_FOREIGN "holds something that is none of a report; is another program using this key?"

/* One window of one group: whose rows are wanted, and what its hash says about them. */
struct rows_window {
    struct link *link;
    const struct rows_place *place;
    const struct rows_part *part; /* NULL: the totals */
    const struct rows_taker *taker;
    char key[ROWS_KEY_MAX];
    struct rows_names names; /* none: the hash does not exist */
    int64_t pieces;          /* number of k:<i> fields that hold the keys */
    struct rows_bytes keys;  /* keys of rows, ROWS_PART_SEPARATOR after each */
    struct rows_bytes nodes; /* the same for nodes */
};

/* Writes a sentence about the window to `why` (LINK_WHY_MAX); returns false. */
bool rows_window_explain(const struct rows_window *window, const char *what, char *why);

/* Queues a command about the window and frees its words. `whole` false: there was not enough memory
 * for all words, so nothing is queued. False fills `why`. */
bool rows_window_ask(const struct rows_window *window, struct words *words, bool whole, char *why);

/* The reply to the oldest pending HMGET of n fields; the caller frees it. NULL fills `why`. */
redisReply *rows_window_take(const struct rows_window *window, size_t n, char *why);

/* Whether a reply is a string; in an HMGET a missing field is nil. */
bool rows_is_text(const redisReply *reply);

/* Reads all rows with the keys of n windows on one link, one window after the other, and passes
 * them to the windows' takers. False fills `why`, or leaves it empty when a taker stopped. */
bool rows_windows_read_rows(const struct rows_window *windows, size_t n, char *why);

/* Fetches and drops all pending replies. */
void rows_pass_over_replies(struct link *link);

#endif
