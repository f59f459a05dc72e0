/* The store over Redis: closes windows of reports whose time is over, whoever wrote them. The list
 * of reports says which may exist. A window that Redis keeps for less time than it stays open is
 * not closed, since it expires before. */
#include "redis/rows_reader.h"
#include "redis/wire.h"
#include "server/flush/store_redis_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CLOSE_MS 200 /* time that one call may take; the next continues */
#define HOUR_US (3600 * US_PER_S)

/* One hour's closing. */
struct rows_closing {
    struct store_redis *s;
    int64_t hour, end_ms;
    char now[NUMBER_MAX];
    int64_t looked; /* how many windows were examined */
    char *why;      /* where a failure is explained */
    bool listed;    /* there are reports */
    bool all;       /* so far, nothing was left open or skipped */
};

/* Closes one window of one group. False fills why. */
static bool close_window(struct rows_closing *closing, const struct rows_place *place,
                         unsigned group, char *why) {
    char key[ROWS_KEY_MAX], cursor[NUMBER_MAX] = "0";
    int64_t done = 0;
    rows_window_key(place, group, key);
    do {
        redisReply *reply =
            store_redis_call_script(closing->s, &script_rows_close, key,
                                    (const char *const[]){closing->now, cursor, NULL}, why);
        if (!reply) {
            return false;
        }
        if (reply->type != REDIS_REPLY_INTEGER) {
            snprintf(why, STORE_WHY_MAX, "%.60s: %.120s: an answer that is no number",
                     link_address(closing->s->link), key);
            freeReplyObject(reply);
            return false;
        }
        done = reply->integer;
        freeReplyObject(reply);
        snprintf(cursor, sizeof cursor, "%" PRId64, done);
    } while (done > 0);
    closing->all = closing->all && done == 0;
    return true;
}

static bool close_found(struct rows_closing *closing, const struct rows_place *first, uint32_t n,
                        const bool *there, char *why) {
    struct rows_place place = *first;
    for (uint32_t i = 0; i < n; i++, place.window++) {
        for (unsigned group = 0; there[i] && group < link_groups(closing->s->link); group++) {
            if (!close_window(closing, &place, group, why)) {
                return false;
            }
        }
    }
    return true;
}

/* Closes the windows of one width that end in the hour, as long as time is left. False fills
 * why. */
static bool close_width(struct rows_closing *closing, const char *report,
                        const struct rows_width_line *line, char *why) {
    struct store_redis *s = closing->s;
    const int64_t first = closing->hour * HOUR_US / line->width_us,
                  n = (closing->hour + 1) * HOUR_US / line->width_us - first;
    for (int64_t done = 0; done < n && closing->all; done += LINK_PIPELINE_MAX) {
        const uint32_t here =
            (uint32_t)(n - done < LINK_PIPELINE_MAX ? n - done : LINK_PIPELINE_MAX);
        const struct rows_place place = {report, line->name, line->width_us, first + done};
        bool there[LINK_PIPELINE_MAX];
        closing->looked += here;
        if (closing->looked <= s->closing_done) {
            continue; /* done in an earlier call */
        }
        if (wire_now_ms() > closing->end_ms) {
            closing->all = false;
            break;
        }
        if (!rows_reader_find(s->link, &place, here, there, why) ||
            !close_found(closing, &place, here, there, why)) {
            return false;
        }
        s->closing_done = closing->all ? closing->looked : s->closing_done;
    }
    return true;
}

static bool take_width(void *cls, const char *report, const struct rows_width_line *line) {
    struct rows_closing *closing = cls;
    closing->listed = true;
    return line->keep_s <= SCHEMA_OPEN_S ||
           (close_width(closing, report, line, closing->why) && closing->all);
}

bool store_redis_close_rows(struct store_redis *s, int64_t last, int64_t now_us, char *why) {
    struct store_redis_note note;
    char next[NUMBER_MAX], sentence[STORE_WHY_MAX] = "";
    if (!store_redis_exchange_note(s, ROWS_FINAL_KEY, "", &note, why)) {
        return false;
    }
    struct rows_closing closing = {.s = s,
                                   .hour = store_redis_next_hour(note.hour, last),
                                   .end_ms = wire_now_ms() + CLOSE_MS,
                                   .why = sentence,
                                   .all = true};
    snprintf(closing.now, sizeof closing.now, "%" PRId64, now_us / US_PER_S);
    if (closing.hour > last) {
        return true;
    }
    s->closing_done = s->closing_hour == closing.hour ? s->closing_done : 0;
    s->closing_hour = closing.hour;
    if (!rows_reader_widths(s->link, &(struct rows_width_taker){take_width, &closing}, why)) {
        /* if the taker failed, its sentence says why */
        if (!*why) {
            memcpy(why, sentence, sizeof sentence);
        }
        return !*why;
    }
    snprintf(next, sizeof next, "%" PRId64, closing.hour + 1);
    return !closing.listed || store_redis_exchange_note(s, ROWS_FINAL_KEY, next, &note, why);
}
