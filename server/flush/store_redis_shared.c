/* The store over Redis: what all nodes share there, namely leases of names, the number of losses,
 * and the closing of old chunks. */
#include "redis/wire.h"
#include "server/flush/store_redis_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- what nodes share: leases, the number of losses, closing ---- */

redisReply *store_redis_call_script(struct store_redis *s, const struct script *script,
                                    const char *key, const char *const *words, char *why) {
    redisReply *reply = NULL;
    for (int by_sha = 1; by_sha >= 0; by_sha--) {
        struct call call = call_begin_script(script, by_sha, key);
        for (const char *const *word = words; *word; word++) {
            call_add_text(&call, *word);
        }
        reply = call_append(s, &call, why) ? link_reply(s->link, why) : NULL;
        if (!reply || !by_sha || !wire_is_error(reply, "NOSCRIPT")) {
            break;
        }
        freeReplyObject(reply);
    }
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        snprintf(why, STORE_WHY_MAX, "%.60s: %.60s: %.110s", link_address(s->link), key,
                 reply->str);
        if (wire_is_error(reply, "READONLY")) {
            link_close(s->link);
        }
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

/* Whether `word` is one of those in `list`, each of which follows a blank. */
static bool lists(const char *list, const char *word) {
    const size_t len = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += len) {
        if (at > list && at[-1] == ' ' && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

void store_redis_note_read_back(struct store_redis *s, uint32_t owner) {
    char number[NUMBER_MAX];
    const size_t len = strlen(s->read_back);
    snprintf(number, sizeof number, "%" PRIu32, owner);
    if (owner != s->owner_number && !lists(s->read_back, number) &&
        len + NUMBER_MAX < sizeof s->read_back) {
        snprintf(s->read_back + len, sizeof s->read_back - len, " %s", number);
    }
}

bool store_redis_was_read_back(const struct store *store) {
    return store_redis_of(store)->was_read_back;
}

/* Calls the lease script; `how`: "take", "wait" or "release". NULL fills why. */
static redisReply *call_lease(struct store_redis *s, const struct store_claim *claim,
                              const char *how, char *why) {
    char key[SCHEMA_KEY_MAX], ms[NUMBER_MAX];
    schema_lease_key(s->node, key);
    snprintf(ms, sizeof ms, "%d", STORE_LEASE_MS);
    return store_redis_call_script(
        s, &script_lease, key,
        (const char *const[]){claim->owner, ms, how, claim->dead, s->read_back, NULL}, why);
}

enum store_lease store_redis_lease(struct store *store, const struct store_claim *claim,
                                   char holder[STORE_HOLDER_MAX], char why[STORE_WHY_MAX]) {
    struct store_redis *s = store_redis_of(store);
    redisReply *reply = call_lease(s, claim, claim->waiting ? "wait" : "take", why);
    enum store_lease lease = STORE_LEASE_FAILED;
    if (reply && reply->type == REDIS_REPLY_INTEGER) {
        lease = reply->integer ? STORE_LEASE_KEPT : STORE_LEASE_TAKEN;
    } else if (reply && reply->type == REDIS_REPLY_STRING) {
        snprintf(holder, STORE_HOLDER_MAX, "%s", reply->str);
        s->was_read_back = lists(reply->str, s->owner);
        lease = STORE_LEASE_HELD;
    } else if (reply) {
        char key[SCHEMA_KEY_MAX];
        schema_lease_key(s->node, key);
        snprintf(why, STORE_WHY_MAX, "%.60s: %.60s: an answer that is no lease",
                 link_address(s->link), key);
    }
    if (reply) {
        freeReplyObject(reply);
    }
    return lease;
}

void store_redis_release(struct store *store, const char *owner) {
    const struct store_claim claim = {.owner = owner, .dead = ""};
    char why[STORE_WHY_MAX];
    redisReply *reply = call_lease(store_redis_of(store), &claim, "release", why);
    if (reply) {
        freeReplyObject(reply);
    }
}

bool store_redis_take_number(const struct store_redis *s, redisReply *reply, const char *key,
                             int64_t *number, char *why) {
    if (!reply) {
        return false;
    }
    uint64_t digits = 0;
    bool ok = true;
    if (reply->type == REDIS_REPLY_NIL) {
        *number = 0;
    } else if (reply->type == REDIS_REPLY_INTEGER) {
        *number = reply->integer;
    } else if (reply->type == REDIS_REPLY_STRING &&
               schema_count(reply->str, (size_t)reply->len, &digits)) {
        *number = (int64_t)digits;
    } else {
        snprintf(why, STORE_WHY_MAX, "%.60s: %.60s: %.110s", link_address(s->link), key,
                 reply->type == REDIS_REPLY_ERROR
                     ? reply->str
                     : "holds no number; is another program using this key?");
        ok = false;
    }
    freeReplyObject(reply);
    return ok;
}

bool store_redis_tell_loss(struct store *store, uint64_t *losses, char why[STORE_WHY_MAX]) {
    struct store_redis *s = store_redis_of(store);
    int64_t now = 0;
    char seen[NUMBER_MAX];
    snprintf(seen, sizeof seen, "%" PRIu64, *losses);
    if (!store_redis_take_number(s,
                                 store_redis_call_script(s, &script_lost, SCHEMA_LOST_KEY,
                                                         (const char *const[]){seen, NULL}, why),
                                 SCHEMA_LOST_KEY, &now, why)) {
        return false;
    }
    *losses = (uint64_t)now;
    return true;
}

bool store_redis_tell_node(struct store *store, const char *words, char why[STORE_WHY_MAX]) {
    struct store_redis *s = store_redis_of(store);
    assert(s != NULL);
    redisReply *reply = store_redis_call_script(s, &script_nodes, SCHEMA_NODES_KEY,
                                                (const char *const[]){s->node, words, NULL}, why);
    if (reply) {
        freeReplyObject(reply);
    }
    return reply != NULL;
}

#define HOUR_S 3600
#define NOTE_AHEAD 3  /* hours by which a note of a clock within the margin may be ahead */
#define HOURS_BACK 24 /* hours to close when nobody has noted yet how far that was done */

/* A closing under way. all: no chunk was left open so far. */
struct closing {
    unsigned group;
    char now[NUMBER_MAX]; /* seconds since 1970 */
    bool all;
};

/* Reads one reply of close.lua. False fills why. */
static bool take_closed(struct store_redis *s, struct closing *closing, const char *key,
                        char *why) {
    int64_t closed = 0;
    if (!store_redis_take_number(s, link_reply(s->link, why), key, &closed, why)) {
        return false;
    }
    closing->all = closing->all && closed;
    return true;
}

/* Closes a range of at most STORE_SEND_MAX chunks, in one pipeline. */
static bool close_some(struct store_redis *s, struct closing *closing, struct chunk_range range,
                       char *why) {
    char key[SCHEMA_KEY_MAX], later[STORE_WHY_MAX];
    for (uint32_t i = 0; i < range.n; i++) {
        schema_chunk_key(range.resolution, range.first + i, closing->group, key);
        /* not by SHA1: in a cluster, some servers may not know the script */
        struct call call = call_begin_script(&script_close, false, key);
        call_add_text(&call, closing->now);
        if (!call_append(s, &call, why)) {
            return false;
        }
    }
    bool ok = true;
    for (uint32_t i = 0; link_pending(s->link); i++) {
        schema_chunk_key(range.resolution, range.first + i, closing->group, key);
        ok = take_closed(s, closing, key, ok ? why : later) && ok;
    }
    return ok;
}

/* Closes a range of one group, one pipeline after another. */
static bool close_range(struct store_redis *s, struct closing *closing, struct chunk_range range,
                        char *why) {
    bool ok = true;
    for (uint32_t done = 0; done < range.n && ok; done += STORE_SEND_MAX) {
        const uint32_t here = range.n - done < STORE_SEND_MAX ? range.n - done : STORE_SEND_MAX;
        store_redis_begin_pipeline(s);
        ok = close_some(s, closing,
                        (struct chunk_range){range.resolution, range.first + done, here}, why);
        store_redis_end_pipeline(s);
    }
    return ok;
}

/* Closes one hour; *all: no chunk was left open. */
static bool close_hour(struct store_redis *s, int64_t hour, int64_t now_us, bool *all, char *why) {
    struct closing closing = {.all = true};
    snprintf(closing.now, sizeof closing.now, "%" PRId64, now_us / US_PER_S);
    for (int r = 0; r < RESOLUTIONS; r++) {
        const int64_t an_hour = HOUR_S * US_PER_S / chunk_width_us((enum resolution)r);
        const struct chunk_range range = {(enum resolution)r, hour * an_hour, (uint32_t)an_hour};
        for (closing.group = 0; closing.group < link_groups(s->link); closing.group++) {
            if (!close_range(s, &closing, range, why)) {
                return false;
            }
        }
    }
    *all = closing.all;
    return true;
}

/* no valid reply has a larger number of seconds, of hours, or of microseconds */
#define CLOCK_LAST_S (UINT64_C(1) << 40)

bool store_redis_exchange_note(struct store_redis *s, const char *key, const char *hour,
                               struct store_redis_note *note, char *why) {
    redisReply *reply =
        store_redis_call_script(s, &script_final, key, (const char *const[]){hour, NULL}, why);
    uint64_t number[3] = {0};
    bool ok = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 3;
    for (size_t i = 0; i < 3 && ok; i++) {
        const redisReply *element = reply->element[i];
        ok = element->type == REDIS_REPLY_STRING &&
             ((i == 0 && element->len == 0) ||
              schema_count(element->str, (size_t)element->len, &number[i])) &&
             number[i] < CLOCK_LAST_S;
    }
    if (ok) {
        note->hour = reply->element[0]->len ? (int64_t)number[0] : -1;
        note->clock_us = (int64_t)number[1] * US_PER_S + (int64_t)number[2];
    } else if (reply) {
        snprintf(why, STORE_WHY_MAX, "%.60s: %s: holds no hour; is another program using this key?",
                 link_address(s->link), key);
    }
    if (reply) {
        freeReplyObject(reply);
    }
    return ok;
}

int64_t store_redis_next_hour(int64_t noted, int64_t last) {
    /* A note from the future was made by a clock that was ahead. */
    return noted < 0 || noted > last + NOTE_AHEAD ? last - HOURS_BACK : noted;
}

/* Closes the chunks of the next hour. */
static bool close_chunks(struct store_redis *s, int64_t noted, int64_t last, int64_t now_us,
                         char *why) {
    struct store_redis_note note;
    const int64_t hour = store_redis_next_hour(noted, last);
    char next[NUMBER_MAX];
    bool all = false;
    snprintf(next, sizeof next, "%" PRId64, hour + 1);
    return hour > last ||
           (close_hour(s, hour, now_us, &all, why) &&
            (!all || store_redis_exchange_note(s, SCHEMA_FINAL_KEY, next, &note, why)));
}

bool store_redis_close_old(struct store *store, int64_t now_us, int64_t *ahead_us,
                           char why[STORE_WHY_MAX]) {
    struct store_redis *s = store_redis_of(store);
    struct store_redis_note note;
    if (!store_redis_exchange_note(s, SCHEMA_FINAL_KEY, "", &note, why)) {
        return false;
    }
    *ahead_us = now_us - note.clock_us;
    if (*ahead_us > HOUR_S * US_PER_S || *ahead_us < -HOUR_S * US_PER_S) {
        return true; /* this clock is too far off to close by */
    }
    const int64_t last =
        schema_closable_hour((now_us < note.clock_us ? now_us : note.clock_us) / US_PER_S);
    return close_chunks(s, note.hour, last, now_us, why) &&
           store_redis_close_rows(s, last, now_us, why);
}
