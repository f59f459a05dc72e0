/* What the files of the store over Redis share. By the flush thread. */
#ifndef AFORO_SERVER_FLUSH_STORE_REDIS_INTERNAL_H
#define AFORO_SERVER_FLUSH_STORE_REDIS_INTERNAL_H

#include "redis/link.h"
#include "redis/rows_pack.h"
#include "redis/schema.h"
#include "redis/script.h"
#include "server/flush/store.h"

#include <stdatomic.h>

#define NUMBER_MAX 24 /* bytes of a number's digits, with sign and NUL */
#define CALL_ARGUMENTS_MAX 12
/* how long a chunk outlives the horizon, so that whatever a node may still send again finds it */
#define STORE_REDIS_MARGIN_S 3600

struct store_redis {
    struct store store;
    struct link *link;
    char node[64];
    char field[SCHEMA_KEY_MAX]; /* field of this node's parts */
    char left[SCHEMA_KEY_MAX];  /* field of what they held when another owner took them over */
    uint32_t owner_number;
    char owner[NUMBER_MAX]; /* the same as text */
    unsigned group;         /* of this node */
    /* " <number>" of each other owner whose parts were read back, as many as fit */
    char read_back[5 * NUMBER_MAX];
    bool was_read_back; /* the holder of the lease has read back parts that we wrote */
    int64_t ttl_s[RESOLUTIONS];
    int64_t horizon_s;
    int64_t timeout_ms;
    struct rows_call rows_call; /* memory that calls reuse */
    int64_t closing_hour;       /* the hour whose windows of reports are being closed */
    int64_t closing_done;       /* how many of them were examined */
    _Atomic int64_t until_ms;   /* see end_by */
};

struct store_redis *store_redis_of(const struct store *store);

/* A command as the link takes it. Words are not copied: they outlive the call. */
struct call {
    int n;
    const char *argv[CALL_ARGUMENTS_MAX];
    size_t lens[CALL_ARGUMENTS_MAX];
};

#define CALL_KEY_AT 3 /* index of the key in what call_begin_script makes */

void call_add(struct call *call, const char *word, size_t len);
void call_add_text(struct call *call, const char *word);

/* Begins a call of a script with one key: by its SHA1, or by its text, which also makes the SHA1
 * known to the server. */
struct call call_begin_script(const struct script *script, bool by_sha, const char *key);

/* Queues the command. False fills why. */
bool call_append(struct store_redis *s, struct call *call, char *why);

/* Between these two calls is one pipeline, which has one time limit as a whole: it ends however
 * many replies it has and however slowly each comes. */
void store_redis_begin_pipeline(struct store_redis *s);
void store_redis_end_pipeline(struct store_redis *s);

/* Reads the reply of merge.lua or rows.lua. STORE_FAILED fills why. */
struct store_ack store_redis_read_ack(const struct store_redis *s, const redisReply *reply,
                                      char *why);

/* Calls a script with one key and words up to a NULL, and returns its reply, which the caller
 * frees; NULL fills why. */
redisReply *store_redis_call_script(struct store_redis *s, const struct script *script,
                                    const char *key, const char *const *words, char *why);

/* The reply of final.lua: the hour that was noted, -1 if none was; and the store's clock. */
struct store_redis_note {
    int64_t hour, clock_us;
};

/* Notes `hour` when it is not empty, and asks for the note. False fills why. */
bool store_redis_exchange_note(struct store_redis *s, const char *key, const char *hour,
                               struct store_redis_note *note, char *why);

/* The hour to close next; `last` is the last that may be closed. */
int64_t store_redis_next_hour(int64_t noted, int64_t last);

/* ---- store_redis_rows_close.c ---- */

/* Closes windows of reports that are over, up to the hour `last`: one hour's worth per call, or
 * part of that when there are many. False fills why. */
bool store_redis_close_rows(struct store_redis *s, int64_t last, int64_t now_us, char *why);

/* ---- store_redis_rows.c: rows of reports; see store_ops ---- */

bool store_redis_tell_report(struct store *store, const struct store_report *report,
                             char why[STORE_WHY_MAX]);
bool store_redis_send_rows(struct store *store, const struct store_rows *rows,
                           struct store_ack *ack, char why[STORE_WHY_MAX]);
bool store_redis_read_back_rows(struct store *store, const struct store_rows_range *range,
                                const struct store_rows_taker *taker, char why[STORE_WHY_MAX]);
bool store_redis_rows_sum(struct store *store, const struct rows_place *place, uint64_t *sum,
                          char why[STORE_WHY_MAX]);

/* ---- store_redis_shared.c: what all nodes write and read; see store_ops ---- */

enum store_lease store_redis_lease(struct store *store, const struct store_claim *claim,
                                   char holder[STORE_HOLDER_MAX], char why[STORE_WHY_MAX]);
void store_redis_release(struct store *store, const char *owner);
bool store_redis_was_read_back(const struct store *store);

/* Notes that a part written by this owner was read back, so that the lease will say so. */
void store_redis_note_read_back(struct store_redis *s, uint32_t owner);
bool store_redis_tell_node(struct store *store, const char *words, char why[STORE_WHY_MAX]);
bool store_redis_tell_loss(struct store *store, uint64_t *losses, char why[STORE_WHY_MAX]);

/* Reads the number in a reply, an integer or digits; 0 for nil. Frees the reply. False fills why,
 * unless reply is NULL: then `why` was filled when the reply was not received. */
bool store_redis_take_number(const struct store_redis *s, redisReply *reply, const char *key,
                             int64_t *number, char *why);
bool store_redis_close_old(struct store *store, int64_t now_us, int64_t *ahead_us,
                           char why[STORE_WHY_MAX]);

#endif
