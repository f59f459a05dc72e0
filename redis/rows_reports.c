#include "redis/rows_reader.h"

#include "redis/rows_pack.h"

#include <stdio.h>
#include <string.h>

/* Asks whether up to LINK_PIPELINE_MAX windows exist in a group. */
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

/* Reads the hash of reports; NULL fills `why`. */
static redisReply *read_reports(struct link *link, char *why) {
    const char *argv[] = {"HGETALL", ROWS_REPORTS_KEY};
    const size_t lens[] = {7, sizeof ROWS_REPORTS_KEY - 1};
    redisReply *reply = link_append(link, &(struct redis_command){2, argv, lens, 1}, why)
                            ? link_reply(link, why)
                            : NULL;
    bool ok = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements % 2 == 0;
    for (size_t i = 0; ok && i < reply->elements; i++) {
        ok = reply->element[i]->type == REDIS_REPLY_STRING;
    }
    if (reply && !ok) {
        snprintf(why, LINK_WHY_MAX, "%.60s: " ROWS_REPORTS_KEY ": %.150s", link_address(link),
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer that is no hash");
        freeReplyObject(reply);
    }
    return ok ? reply : NULL;
}

bool rows_reader_list(struct link *link, const struct rows_report_taker *taker, char *why) {
    redisReply *reply = read_reports(link, why);
    bool ok = reply != NULL;
    for (size_t i = 0; ok && i < reply->elements; i += 2) {
        const redisReply *name = reply->element[i], *text = reply->element[i + 1];
        if (!memchr(name->str, ROWS_SEPARATOR, name->len) && name->len < ROWS_REPORT_MAX &&
            !taker->take(taker->cls, name->str, text->str, text->len)) {
            *why = '\0';
            ok = false;
        }
    }
    if (reply) {
        freeReplyObject(reply);
    }
    return ok;
}

/* Copies the name in a field of widths to report (ROWS_REPORT_MAX); false: it is no such field. */
static bool read_windows_field(const redisReply *field, char *report) {
    static const size_t suffix = sizeof ROWS_WINDOWS_FIELD - 1;
    const size_t len = field->len > suffix ? field->len - suffix : 0;
    if (len == 0 || len >= ROWS_REPORT_MAX ||
        memcmp(field->str + len, ROWS_WINDOWS_FIELD, suffix) != 0) {
        return false;
    }
    memcpy(report, field->str, len);
    report[len] = '\0';
    return true;
}

bool rows_reader_widths(struct link *link, const struct rows_width_taker *taker, char *why) {
    redisReply *reply = read_reports(link, why);
    bool ok = reply != NULL;
    for (size_t i = 0; ok && i < reply->elements; i += 2) {
        struct rows_width_line line;
        char report[ROWS_REPORT_MAX];
        const char *at = reply->element[i + 1]->str;
        *why = '\0';
        while (ok && read_windows_field(reply->element[i], report) && rows_width_read(&at, &line)) {
            ok = taker->take(taker->cls, report, &line);
        }
    }
    if (reply) {
        freeReplyObject(reply);
    }
    return ok;
}
