/* The store over Redis: rows of reports. One script call for each few hundred fields of a changed
 * window. */
#include "redis/rows_reader.h"
#include "redis/wire.h"
#include "redis/words.h"
#include "server/flush/store_redis_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_AT_ONCE 8 /* script calls in one pipeline: some 4,000 fields */

/* ---- sending ---- */

static bool put_text(struct words *words, const char *word) {
    return words_put(words, word, strlen(word));
}

static bool put_number(struct words *words, uint64_t number) {
    char text[NUMBER_MAX];
    return words_put(words, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, number));
}

/* Puts the words of a call of rows.lua. */
static bool put_call(const struct store_redis *s, const struct store_rows *rows,
                     const struct rows_call *gathered, const char *key, struct words *words) {
    char moment[ROWS_KEY_MAX + 8];
    const size_t keys = gathered->hlls + gathered->boards;
    bool ok = put_number(words, keys ? keys + 2 : 1) && put_text(words, key);
    if (keys) {
        snprintf(moment, sizeof moment, "%s:moment", key);
        ok = ok && put_text(words, moment);
    }
    for (size_t at = 0; at < gathered->keys.len && ok;) {
        const char *hll = gathered->keys.bytes + at;
        ok = put_text(words, hll);
        at += strlen(hll) + 1;
    }
    return ok && put_text(words, s->node) && put_text(words, s->owner) &&
           put_number(words, rows->there) &&
           put_number(words, (uint64_t)rows_until_s(rows->place.width_us, rows->place.window)) &&
           put_number(words, (uint64_t)rows->keep_s) &&
           words_put(words, gathered->names.bytes, gathered->names.len) &&
           put_number(words, gathered->fields) &&
           words_put(words, gathered->hash_fields.bytes, gathered->hash_fields.len) &&
           words_put(words, gathered->numbers.bytes, gathered->numbers.len) &&
           words_put(words, gathered->bytes.bytes, gathered->bytes.len);
}

static bool append_call(struct store_redis *s, const struct store_rows *rows, bool by_sha,
                        char *why) {
    char key[ROWS_KEY_MAX];
    struct words words = {0};
    rows_window_key(&rows->place, s->group, key);
    bool ok = put_text(&words, by_sha ? "EVALSHA" : "EVAL") &&
              put_text(&words, by_sha ? script_rows.sha : script_rows.text) &&
              put_call(s, rows, &s->rows_call, key, &words);
    if (ok) {
        ok = words_append(s->link, &words, CALL_KEY_AT, why);
    } else {
        snprintf(why, STORE_WHY_MAX, "out of memory");
    }
    words_free(&words);
    return ok;
}

/* The state of sending the rows of one window. */
struct rows_sending {
    const struct store_rows *rows;
    size_t done; /* rows */
    /* by_sha: the script is called by its SHA1; unknown: a server does not know it */
    bool by_sha, unknown;
    struct store_ack *ack;
};

/* Reads {had, has} of a reply, or an integer. STORE_FAILED fills why. */
static struct store_ack read_sums(const struct store_redis *s, const redisReply *reply, char *why) {
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[0]->type == REDIS_REPLY_INTEGER &&
        reply->element[1]->type == REDIS_REPLY_INTEGER && reply->element[0]->integer >= 0) {
        return (struct store_ack){STORE_STORED, (uint64_t)reply->element[0]->integer,
                                  (uint64_t)reply->element[1]->integer};
    }
    return store_redis_read_ack(s, reply, why);
}

/* Reads one reply. The smallest `had` counts, since each call adds to the part: 0 says that
 * something was gone. */
static bool take_ack(struct store_redis *s, struct rows_sending *sending, char *why) {
    redisReply *reply = link_reply(s->link, why);
    struct store_ack *ack = sending->ack;
    bool ok = reply != NULL;
    if (reply && sending->by_sha && wire_is_error(reply, "NOSCRIPT")) {
        sending->unknown = true;
    } else if (reply) {
        const struct store_ack one = read_sums(s, reply, why);
        ok = one.outcome != STORE_FAILED;
        if (one.outcome != STORE_STORED) {
            *ack = one;
        } else if (ack->outcome == STORE_STORED) {
            ack->had = one.had < ack->had ? one.had : ack->had;
            ack->has = one.has;
        }
        if (wire_is_error(reply, "READONLY")) {
            link_close(s->link); /* see send_pipeline */
        }
    }
    if (reply) {
        freeReplyObject(reply);
    }
    return ok;
}

/* Sends one pipeline. False when something failed. */
static bool send_some(struct store_redis *s, struct rows_sending *sending, char *why) {
    char later[STORE_WHY_MAX], key[ROWS_KEY_MAX];
    const struct store_rows *rows = sending->rows;
    bool ok = true;
    rows_window_key(&rows->place, s->group, key);
    store_redis_begin_pipeline(s);
    for (int calls = 0; calls < CALLS_AT_ONCE && sending->done < rows->n && ok; calls++) {
        rows_call_begin(&s->rows_call, s->node);
        for (; sending->done < rows->n && rows_call_has_room(&s->rows_call) && ok;
             sending->done++) {
            ok = rows_call_add(&s->rows_call, key, &rows->row[sending->done]);
            if (!ok) {
                snprintf(why, STORE_WHY_MAX,
                         "%.120s: a row that cannot be sent: it is too large, or memory is out",
                         key);
            }
        }
        ok = ok && append_call(s, rows, sending->by_sha, why);
    }
    while (link_pending(s->link)) {
        ok = take_ack(s, sending, ok ? why : later) && ok;
    }
    store_redis_end_pipeline(s);
    return ok;
}

static bool send_all(struct store_redis *s, struct rows_sending *sending, char *why) {
    *sending->ack = (struct store_ack){STORE_STORED, UINT64_MAX, 0};
    sending->done = 0;
    sending->unknown = false;
    while (sending->done < sending->rows->n && !sending->unknown &&
           sending->ack->outcome == STORE_STORED) {
        if (!send_some(s, sending, why)) {
            *sending->ack = (struct store_ack){STORE_FAILED, 0, 0};
            return false;
        }
    }
    return true;
}

bool store_redis_send_rows(struct store *store, const struct store_rows *rows,
                           struct store_ack *ack, char why[STORE_WHY_MAX]) {
    struct rows_sending sending = {.rows = rows, .by_sha = true, .ack = ack};
    struct store_rows kept = *rows;
    struct store_redis *s = store_redis_of(store);
    const int64_t least_s = s->horizon_s + rows->place.width_us / US_PER_S + STORE_REDIS_MARGIN_S;
    kept.keep_s = rows->keep_s > least_s ? rows->keep_s : least_s;
    sending.rows = &kept;
    bool ok = send_all(s, &sending, why);
    if (ok && sending.unknown) {
        sending.by_sha = false; /* send all of it once more; what arrived is not changed by that */
        ok = send_all(s, &sending, why);
    }
    return ok;
}

bool store_redis_tell_report(struct store *store, const struct store_report *report,
                             char why[STORE_WHY_MAX]) {
    struct store_redis *s = store_redis_of(store);
    char windows[ROWS_REPORT_MAX + sizeof ROWS_WINDOWS_FIELD];
    snprintf(windows, sizeof windows, "%s" ROWS_WINDOWS_FIELD, report->report);
    const char *argv[] = {"HSET",  ROWS_REPORTS_KEY, report->report, report->definition,
                          windows, report->windows};
    const size_t lens[] = {4,
                           sizeof ROWS_REPORTS_KEY - 1,
                           strlen(report->report),
                           report->definition_len,
                           strlen(windows),
                           strlen(report->windows)};
    redisReply *reply = link_append(s->link, &(struct redis_command){6, argv, lens, 1}, why)
                            ? link_reply(s->link, why)
                            : NULL;
    const bool ok = reply && reply->type == REDIS_REPLY_INTEGER;
    if (reply && !ok) {
        snprintf(why, STORE_WHY_MAX, "%.60s: " ROWS_REPORTS_KEY ": %.150s", link_address(s->link),
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer that is no number");
        if (wire_is_error(reply, "READONLY")) {
            link_close(s->link);
        }
    }
    if (reply) {
        freeReplyObject(reply);
    }
    return ok;
}

/* ---- reading this node's parts ---- */

static bool append_sum(struct store_redis *s, const struct rows_place *place, char *why) {
    char key[ROWS_KEY_MAX];
    const char *argv[] = {"HGET", key, s->field};
    const size_t lens[] = {4, rows_window_key(place, s->group, key), strlen(s->field)};
    return link_append(s->link, &(struct redis_command){3, argv, lens, 1}, why);
}

/* Reads "<owner> <sum>" of a reply; 0 if there is none. False fills why. */
static bool take_sum(struct store_redis *s, const struct rows_place *place, uint64_t *sum,
                     char *why) {
    uint32_t owner = 0;
    redisReply *reply = link_reply(s->link, why);
    *sum = 0;
    if (!reply) {
        return false;
    }
    const bool ok = reply->type == REDIS_REPLY_NIL ||
                    (reply->type == REDIS_REPLY_STRING &&
                     sscanf(reply->str, "%" SCNu32 " %" SCNu64, &owner, sum) == 2);
    if (!ok) {
        char key[ROWS_KEY_MAX];
        rows_window_key(place, s->group, key);
        snprintf(why, STORE_WHY_MAX, "%.60s: %.100s: %.80s", link_address(s->link), key,
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "holds no part of a node");
    }
    freeReplyObject(reply);
    return ok;
}

bool store_redis_rows_sum(struct store *store, const struct rows_place *place, uint64_t *sum,
                          char why[STORE_WHY_MAX]) {
    struct store_redis *s = store_redis_of(store);
    return append_sum(s, place, why) && take_sum(s, place, sum, why);
}

static bool give_row(void *cls, const struct rows_place *place, const struct rows_row *row) {
    const struct store_rows_taker *taker = cls;
    taker->row(taker->cls, place, row);
    return true;
}

static bool read_back_window(struct store_redis *s, const struct rows_place *place,
                             const struct store_rows_taker *taker, char *why) {
    struct rows_part part = {.place = place, .group = s->group, .node = s->node};
    if (!rows_reader_read_part(s->link, &part,
                               &(struct rows_taker){give_row, (void *)(uintptr_t)taker}, why)) {
        return false;
    }
    if (part.sum) {
        store_redis_note_read_back(s, part.owner);
        taker->window(taker->cls, place, part.sum);
    }
    return true;
}

bool store_redis_read_back_rows(struct store *store, const struct store_rows_range *range,
                                const struct store_rows_taker *taker, char why[STORE_WHY_MAX]) {
    struct store_redis *s = store_redis_of(store);
    char later[STORE_WHY_MAX];
    for (uint32_t done = 0; done < range->n;) {
        const uint32_t here =
            range->n - done < LINK_PIPELINE_MAX ? range->n - done : LINK_PIPELINE_MAX;
        uint64_t sum[LINK_PIPELINE_MAX] = {0};
        struct rows_place place = range->first;
        bool ok = true;
        place.window += done;
        store_redis_begin_pipeline(s);
        for (uint32_t i = 0; i < here && ok; i++, place.window++) {
            ok = append_sum(s, &place, why);
        }
        for (uint32_t i = 0; link_pending(s->link); i++) {
            place.window = range->first.window + done + i;
            ok = take_sum(s, &place, &sum[i], ok ? why : later) && ok;
        }
        store_redis_end_pipeline(s);
        for (uint32_t i = 0; i < here && ok; i++) {
            place.window = range->first.window + done + i;
            ok = !sum[i] || read_back_window(s, &place, taker, why);
        }
        if (!ok) {
            return false;
        }
        done += here;
    }
    return true;
}
