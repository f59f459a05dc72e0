#include "redis/rows_reader_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_PIECES_MAX 65536

bool rows_window_explain(const struct rows_window *window, const char *what, char *why) {
    snprintf(why, LINK_WHY_MAX, "%.60s: %.90s: %.90s", link_address(window->link), window->key,
             what);
    return false;
}

bool rows_window_ask(const struct rows_window *window, struct words *words, bool whole, char *why) {
    const bool ok = whole ? words_append(window->link, words, 1, why)
                          : rows_window_explain(window, "out of memory", why);
    words_free(words);
    return ok;
}

redisReply *rows_window_take(const struct rows_window *window, size_t n, char *why) {
    redisReply *reply = link_reply(window->link, why);
    if (!reply || (reply->type == REDIS_REPLY_ARRAY && reply->elements == n)) {
        return reply;
    }
    rows_window_explain(window, reply->type == REDIS_REPLY_ERROR ? reply->str : ROWS_FOREIGN, why);
    freeReplyObject(reply);
    return NULL;
}

bool rows_is_text(const redisReply *reply) {
    return reply->type == REDIS_REPLY_STRING;
}

/* Whether it is a list of items with a separator after each. */
static bool is_list(const redisReply *reply) {
    return reply->len > 0 && reply->str[reply->len - 1] == ROWS_PART_SEPARATOR;
}

static bool take_keys(struct rows_window *window, const redisReply *piece, char *why) {
    if (!rows_is_text(piece)) {
        return rows_window_explain(window, ROWS_FOREIGN, why);
    }
    return rows_bytes_put(&window->keys, piece->str, piece->len) ||
           rows_window_explain(window, "out of memory", why);
}

/* Reads the pieces after the first. */
static bool read_more_keys(struct rows_window *window, int64_t pieces, char *why) {
    struct words words = {0};
    bool ok = words_begin(&words, "HMGET", window->key);
    for (int64_t i = 2; i <= pieces && ok; i++) {
        char field[32];
        const int len = snprintf(field, sizeof field, "k:%" PRId64, i);
        ok = words_put(&words, field, (size_t)len);
    }
    redisReply *reply = rows_window_ask(window, &words, ok, why)
                            ? rows_window_take(window, (size_t)pieces - 1, why)
                            : NULL;
    for (size_t i = 0; reply && i < reply->elements && ok; i++) {
        ok = take_keys(window, reply->element[i], why);
    }
    if (reply) {
        freeReplyObject(reply);
    }
    return ok && reply;
}

/* The first fields that are requested, in order. They include the first piece of the keys, because
 * most windows have no other. */
enum { HEAD_NAMES, HEAD_KEYS, HEAD_NODES, HEAD_FIRST_KEYS, HEAD_PART, HEAD_FIELDS };

static bool ask_head(const struct rows_window *window, char *why) {
    char field[ROWS_KEY_MAX];
    struct words words = {0};
    const int len =
        snprintf(field, sizeof field, "n:%.63s", window->part ? window->part->node : "");
    const bool whole = words_begin(&words, "HMGET", window->key) && words_put(&words, "names", 5) &&
                       words_put(&words, "keys", 4) && words_put(&words, "nodes", 5) &&
                       words_put(&words, "k:1", 3) && words_put(&words, field, (size_t)len);
    return rows_window_ask(window, &words, whole, why);
}

/* Takes what the hash says about its rows. False fills `why`. */
static bool take_head(struct rows_window *window, struct rows_part *part, char *why) {
    redisReply *reply = rows_window_take(window, HEAD_FIELDS, why);
    if (!reply) {
        return false;
    }
    redisReply **element = reply->element;
    const redisReply *names = element[HEAD_NAMES], *keys = element[HEAD_KEYS],
                     *nodes = element[HEAD_NODES], *of_part = element[HEAD_PART];
    bool ok = true;
    if (rows_is_text(names) && rows_is_text(keys) && rows_is_text(nodes)) {
        ok = (rows_names_read(names->str, names->len, &window->names) &&
              rows_number_read(keys->str, keys->len, &window->pieces) && window->pieces > 0 &&
              window->pieces < KEY_PIECES_MAX && is_list(nodes) &&
              rows_bytes_put(&window->nodes, nodes->str, nodes->len)) ||
             rows_window_explain(window, ROWS_FOREIGN, why);
        ok = ok && take_keys(window, element[HEAD_FIRST_KEYS], why);
    }
    if (ok && part && rows_is_text(of_part) &&
        sscanf(of_part->str, "%" SCNu32 " %" SCNu64, &part->owner, &part->sum) != 2) {
        ok = rows_window_explain(window, ROWS_FOREIGN, why);
    }
    freeReplyObject(reply);
    return ok;
}

/* Reads n windows; part: that of the first, NULL when totals are read. */
static bool read_windows(struct rows_window *windows, size_t n, struct rows_part *part, char *why) {
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        ok = ask_head(&windows[i], why);
    }
    for (size_t i = 0; i < n && ok; i++) {
        ok = take_head(&windows[i], part, why);
    }
    rows_pass_over_replies(windows[0].link);
    for (size_t i = 0; i < n && ok; i++) {
        ok = windows[i].pieces < 2 || read_more_keys(&windows[i], windows[i].pieces, why);
    }
    ok = ok && rows_windows_read_rows(windows, n, why);
    for (size_t i = 0; i < n; i++) {
        rows_names_free(&windows[i].names);
        free(windows[i].keys.bytes);
        free(windows[i].nodes.bytes);
    }
    return ok;
}

bool rows_reader_read_part(struct link *link, struct rows_part *part,
                           const struct rows_taker *taker, char *why) {
    struct rows_window window = {.link = link, .place = part->place, .part = part, .taker = taker};
    part->sum = part->owner = 0;
    rows_window_key(part->place, part->group, window.key);
    return read_windows(&window, 1, part, why);
}

bool rows_reader_read_windows(struct link *link, const struct rows_place *places, size_t n,
                              const struct rows_taker *taker, char *why) {
    assert(n > 0 && n <= ROWS_READER_WINDOWS);
    for (unsigned group = 0; group < link_groups(link); group++) {
        struct rows_window windows[ROWS_READER_WINDOWS] = {0};
        for (size_t i = 0; i < n; i++) {
            windows[i] = (struct rows_window){.link = link, .place = &places[i], .taker = taker};
            rows_window_key(&places[i], group, windows[i].key);
        }
        if (!read_windows(windows, n, NULL, why)) {
            return false;
        }
    }
    return true;
}

bool rows_reader_read_window(struct link *link, const struct rows_place *place,
                             const struct rows_taker *taker, char *why) {
    return rows_reader_read_windows(link, place, 1, taker, why);
}
