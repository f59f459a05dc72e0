#include "redis/rows_reader.h"

#include "redis/rows_pack.h"

#include <stdio.h>
#include <string.h>

/* Asks whether there is anything of up to LINK_PIPELINE_MAX windows in a group. */
static bool find_some(struct link *link, const struct rows_place *first, uint32_t n, unsigned group,
                      bool *there, char *why) {
    char later[LINK_WHY_MAX], key[ROWS_KEY_MAX];
    struct rows_place place = *first;
    for (uint32_t i = 0; i < n; i++, place.window++) {
        const char *argv[] = {"EXISTS", key};
        const size_t lens[] = {6, rows_window_key(&place, group, key)};
        if (!link_append(link, &(struct redis_command){2, argv, lens, 1}, why)) {
            return false;
        }
    }
    bool ok = true;
    for (uint32_t i = 0; link_pending(link); i++) {
        redisReply *reply = link_reply(link, ok ? why : later);
        if (reply && reply->type == REDIS_REPLY_INTEGER) {
            there[i] = there[i] || reply->integer;
        } else {
            if (reply) {
                snprintf(ok ? why : later, LINK_WHY_MAX, "%.80s: EXISTS: %.150s",
                         link_address(link),
                         reply->type == REDIS_REPLY_ERROR ? reply->str : "no number");
            }
            ok = false;
        }
        if (reply) {
            freeReplyObject(reply);
        }
    }
    return ok;
}

bool rows_reader_find(struct link *link, const struct rows_place *first, uint32_t n, bool *there,
                      char *why) {
    memset(there, 0, n * sizeof *there);
    for (uint32_t done = 0; done < n; done += LINK_PIPELINE_MAX) {
        const uint32_t here = n - done < LINK_PIPELINE_MAX ? n - done : LINK_PIPELINE_MAX;
        struct rows_place place = *first;
        place.window += done;
        for (unsigned group = 0; group < link_groups(link); group++) {
            if (!find_some(link, &place, here, group, there + done, why)) {
                return false;
            }
        }
    }
    return true;
}

/* Most windows of a long span may not be there: they are asked for by existence first. */
bool rows_reader_read(struct link *link, const struct rows_place *first, uint32_t n,
                      const struct rows_taker *taker, char *why) {
    for (uint32_t done = 0; done < n; done += LINK_PIPELINE_MAX) {
        const uint32_t here = n - done < LINK_PIPELINE_MAX ? n - done : LINK_PIPELINE_MAX;
        bool there[LINK_PIPELINE_MAX];
        struct rows_place place = *first;
        place.window += done;
        if (!rows_reader_find(link, &place, here, there, why)) {
            return false;
        }
        for (uint32_t i = 0; i < here; i++, place.window++) {
            if (there[i] && !rows_reader_read_window(link, &place, taker, why)) {
                return false;
            }
        }
    }
    return true;
}

bool rows_reader_list(struct link *link, const struct rows_report_taker *taker, char *why) {
    const char *argv[] = {"HGETALL", ROWS_REPORTS_KEY};
    const size_t lens[] = {7, sizeof ROWS_REPORTS_KEY - 1};
    redisReply *reply = link_append(link, &(struct redis_command){2, argv, lens, 1}, why)
                            ? link_reply(link, why)
                            : NULL;
    if (!reply) {
        return false;
    }
    bool ok = reply->type == REDIS_REPLY_ARRAY && reply->elements % 2 == 0;
    if (!ok) {
        snprintf(why, LINK_WHY_MAX, "%.60s: " ROWS_REPORTS_KEY ": %.150s", link_address(link),
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer that is no hash");
    }
    for (size_t i = 0; ok && i < reply->elements; i += 2) {
        const redisReply *name = reply->element[i], *text = reply->element[i + 1];
        if (name->type == REDIS_REPLY_STRING && text->type == REDIS_REPLY_STRING &&
            !memchr(name->str, ROWS_SEPARATOR, name->len) && name->len < ROWS_REPORT_MAX &&
            !taker->take(taker->cls, name->str, text->str, text->len)) {
            *why = '\0';
            ok = false;
        }
    }
    freeReplyObject(reply);
    return ok;
}
