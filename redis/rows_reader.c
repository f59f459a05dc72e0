#include "redis/rows_reader.h"

#include "redis/rows_pack.h"
#include "redis/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_FIELDS 1000 /* that one command asks for, unless a single row has more */
#define BATCH_HLLS 128    /* in one pipeline; each has 12 kB */
#define PART_SEPARATOR '\x1e'
#define KEY_PIECES_MAX 65536
#define EVENTS_BYTES 7 /* before a blob, as rows.lua writes it */

_Static_assert(BATCH_HLLS <= LINK_PIPELINE_MAX, "they go out together");

/* One window of one group: whose rows are asked for, and what its hash says of them. */
struct window {
    struct link *link;
    const struct rows_place *place;
    const struct rows_part *part; /* NULL: the totals */
    const struct rows_taker *taker;
    char key[ROWS_KEY_MAX];
    struct rows_names names;
    struct rows_bytes keys;  /* of rows, PART_SEPARATOR behind each */
    struct rows_bytes nodes; /* the same of nodes */
    size_t node_count, hlls;
    size_t per_row; /* fields that are asked for of each row */
};

static bool explain(const struct window *window, const char *what, char *why) {
    snprintf(why, LINK_WHY_MAX, "%.60s: %.90s: %.90s", link_address(window->link), window->key,
             what);
    return false;
}

#define FOREIGN "holds something that is none of a report; is another program using this key?"

/* ---- what there is ---- */

/* The reply to HMGET of n fields; NULL fills why. */
static redisReply *take_array(const struct window *window, size_t n, char *why) {
    redisReply *reply = link_reply(window->link, why);
    if (!reply || (reply->type == REDIS_REPLY_ARRAY && reply->elements == n)) {
        return reply;
    }
    explain(window, reply->type == REDIS_REPLY_ERROR ? reply->str : FOREIGN, why);
    freeReplyObject(reply);
    return NULL;
}

static bool is_text(const redisReply *reply) {
    return reply->type == REDIS_REPLY_STRING;
}

static size_t count_listed(const struct rows_bytes *list) {
    size_t n = 0;
    for (size_t i = 0; i < list->len; i++) {
        n += list->bytes[i] == PART_SEPARATOR;
    }
    return n;
}

static bool read_keys(struct window *window, int64_t pieces, char *why) {
    struct words words = {0};
    bool ok = words_begin(&words, "HMGET", window->key);
    for (int64_t i = 1; i <= pieces && ok; i++) {
        char field[32];
        const int len = snprintf(field, sizeof field, "k:%" PRId64, i);
        ok = words_put(&words, field, (size_t)len);
    }
    redisReply *reply = ok && words_append(window->link, &words, 1, why)
                            ? take_array(window, (size_t)pieces, why)
                            : NULL;
    for (size_t i = 0; reply && i < reply->elements && ok; i++) {
        ok = is_text(reply->element[i])
                 ? rows_bytes_put(&window->keys, reply->element[i]->str, reply->element[i]->len)
                 : explain(window, FOREIGN, why);
    }
    words_free(&words);
    if (reply) {
        freeReplyObject(reply);
    }
    return ok && reply;
}

/* Reads what the hash says of its rows; names.n is 0 when it is not there. False fills why. */
static bool read_head(struct window *window, struct rows_part *part, char *why) {
    char field[ROWS_KEY_MAX];
    struct words words = {0};
    const int len = snprintf(field, sizeof field, "n:%.63s", part ? part->node : "");
    const bool asked = words_begin(&words, "HMGET", window->key) && words_put(&words, "names", 5) &&
                       words_put(&words, "keys", 4) && words_put(&words, "nodes", 5) &&
                       words_put(&words, field, (size_t)len) &&
                       words_append(window->link, &words, 1, why);
    words_free(&words);
    redisReply *reply = asked ? take_array(window, 4, why) : NULL;
    if (!reply) {
        return false;
    }
    redisReply **element = reply->element;
    int64_t pieces = 0;
    bool ok = true;
    if (is_text(element[0]) && is_text(element[1]) && is_text(element[2])) {
        ok = (rows_names_read(element[0]->str, element[0]->len, &window->names) &&
              rows_number_read(element[1]->str, element[1]->len, &pieces) && pieces > 0 &&
              pieces < KEY_PIECES_MAX &&
              rows_bytes_put(&window->nodes, element[2]->str, element[2]->len)) ||
             explain(window, FOREIGN, why);
        ok = ok && read_keys(window, pieces, why);
    }
    if (ok && part && is_text(element[3]) &&
        sscanf(element[3]->str, "%" SCNu32 " %" SCNu64, &part->owner, &part->sum) != 2) {
        ok = explain(window, FOREIGN, why);
    }
    freeReplyObject(reply);
    return ok;
}

/* ---- rows ---- */

/* Rows that are asked for together. */
struct batch {
    size_t n;
    const char *key[BATCH_FIELDS];
    size_t len[BATCH_FIELDS];
    redisReply *hll[BATCH_HLLS];
    size_t hlls;
};

static bool put_field(struct words *words, const char *head, const char *node, size_t node_len,
                      const char *key, size_t key_len, const struct rows_name *name) {
    static const char separator = ROWS_SEPARATOR, part_separator = PART_SEPARATOR;
    const size_t from = words->text.len;
    return rows_bytes_put(&words->text, head, strlen(head)) &&
           rows_bytes_put(&words->text, node, node_len) &&
           (!*head || rows_bytes_put(&words->text, &part_separator, 1)) &&
           rows_bytes_put(&words->text, key, key_len) &&
           (!name || (rows_bytes_put(&words->text, &separator, 1) &&
                      rows_bytes_put(&words->text, name->name, name->len))) &&
           words_end(words, from);
}

/* A node's bytes: of the part's own, or of each. */
static bool put_blob_fields(const struct window *window, struct words *words, const char *key,
                            size_t key_len, const struct rows_name *name) {
    if (window->part) {
        return put_field(words, "b:", window->part->node, strlen(window->part->node), key, key_len,
                         name);
    }
    bool ok = true;
    for (size_t at = 0; at < window->nodes.len && ok;) {
        const char *node = window->nodes.bytes + at;
        const char *end = memchr(node, PART_SEPARATOR, window->nodes.len - at);
        ok = put_field(words, "b:", node, (size_t)(end - node), key, key_len, name);
        at += (size_t)(end - node) + 1;
    }
    return ok;
}

static bool put_row_fields(const struct window *window, struct words *words, const char *key,
                           size_t key_len) {
    bool ok = !window->part || put_field(words, "n:", window->part->node,
                                         strlen(window->part->node), key, key_len, NULL);
    for (size_t i = 0; i < window->names.n && ok; i++) {
        const struct rows_name *name = &window->names.name[i];
        ok = name->rule == ROWS_BLOB ? put_blob_fields(window, words, key, key_len, name)
                                     : put_field(words, "", "", 0, key, key_len, name);
    }
    return ok;
}

static bool append_hll(const struct window *window, const char *key, size_t key_len,
                       const struct rows_name *name, char *why) {
    static const char separator = ROWS_SEPARATOR;
    struct words words = {0};
    bool ok = words_put(&words, "GET", 3);
    const size_t from = words.text.len;
    ok = ok && rows_bytes_put(&words.text, window->key, strlen(window->key)) &&
         rows_bytes_put(&words.text, ":", 1) &&
         rows_bytes_put(&words.text, name->name, name->len) &&
         (key_len == 0 || (rows_bytes_put(&words.text, &separator, 1) &&
                           rows_bytes_put(&words.text, key, key_len))) &&
         words_end(&words, from) && words_append(window->link, &words, 1, why);
    words_free(&words);
    return ok;
}

/* What belongs to rows and lies in keys of its own. */
static bool read_hlls(const struct window *window, struct batch *batch, char *why) {
    bool ok = true;
    for (size_t row = 0; row < batch->n && window->hlls; row++) {
        for (size_t i = 0; i < window->names.n && ok; i++) {
            if (window->names.name[i].rule == ROWS_HLL) {
                ok = append_hll(window, batch->key[row], batch->len[row], &window->names.name[i],
                                why);
            }
        }
    }
    while (link_pending(window->link)) {
        char later[LINK_WHY_MAX];
        redisReply *reply = link_reply(window->link, ok ? why : later);
        if (reply && reply->type == REDIS_REPLY_ERROR) {
            ok = ok && explain(window, reply->str, why);
        }
        ok = ok && reply;
        batch->hll[batch->hlls++] = reply;
    }
    return ok;
}

/* Where the answers about one row are taken from, and where they go. */
struct taking {
    const struct window *window;
    redisReply **element; /* [per_row] */
    redisReply **hll;
    struct rows_component *component;
    size_t n;
    uint64_t count;
};

static void take_bytes(struct taking *taking, const struct rows_name *name, const char *bytes,
                       size_t len) {
    taking->component[taking->n++] = (struct rows_component){.name = name->name,
                                                             .rule = (enum rows_rule)name->rule,
                                                             .bytes = (const unsigned char *)bytes,
                                                             .len = len};
}

/* What stands before a blob: little-endian. */
static int64_t read_events(const char *bytes) {
    int64_t events = 0;
    for (size_t i = EVENTS_BYTES; i-- > 0;) {
        events = events << 8 | (unsigned char)bytes[i];
    }
    return events;
}

/* One component; moves on behind its fields. False: it holds none. */
static bool take_component(struct taking *taking, const struct rows_name *name) {
    const size_t fields =
        name->rule == ROWS_BLOB && !taking->window->part ? taking->window->node_count : 1;
    redisReply **element = taking->element;
    taking->element += fields;
    if (name->rule == ROWS_HLL) {
        const redisReply *hll = *taking->hll++;
        if (is_text(hll)) {
            take_bytes(taking, name, hll->str, hll->len);
        }
        return true;
    }
    if (name->rule != ROWS_BLOB) {
        int64_t value = 0;
        const bool of_part =
            taking->window->part && (name->rule == ROWS_ADD || name->rule == ROWS_WRAP);
        if (of_part || !is_text(*element)) {
            return true;
        }
        taking->component[taking->n++] =
            (struct rows_component){.name = name->name, .rule = (enum rows_rule)name->rule};
        const bool ok = rows_number_read((*element)->str, (*element)->len, &value);
        taking->component[taking->n - 1].value = value;
        return ok;
    }
    for (size_t i = 0; i < fields; i++) {
        if (is_text(element[i]) && element[i]->len < EVENTS_BYTES) {
            return false;
        }
        if (is_text(element[i])) {
            take_bytes(taking, name, element[i]->str + EVENTS_BYTES,
                       element[i]->len - EVENTS_BYTES);
            taking->component[taking->n - 1].value = read_events(element[i]->str);
        }
    }
    return true;
}

/* The part of the node itself: its sums. *mine: it has one in this row. */
static bool take_part(struct taking *taking, bool *mine) {
    const redisReply *part = *taking->element++;
    *mine = is_text(part);
    return !*mine || rows_part_read(part->str, part->len, &taking->window->names, &taking->count,
                                    &taking->n, taking->component);
}

/* False fills why; or leaves it empty, when no more are wanted. */
static bool give_rows(const struct window *window, struct batch *batch, redisReply **element,
                      struct rows_component *component, char *why) {
    for (size_t row = 0; row < batch->n; row++) {
        struct taking taking = {.window = window,
                                .element = element + row * window->per_row,
                                .hll = batch->hll + row * window->hlls,
                                .component = component};
        bool wanted = true, ok = !window->part || take_part(&taking, &wanted);
        for (size_t i = 0; i < window->names.n && ok; i++) {
            ok = take_component(&taking, &window->names.name[i]);
        }
        if (!ok) {
            return explain(window, FOREIGN, why);
        }
        const struct rows_row given = {batch->key[row], batch->len[row], taking.count, taking.n,
                                       component};
        if (wanted && taking.n && !window->taker->take(window->taker->cls, window->place, &given)) {
            *why = '\0';
            return false;
        }
    }
    return true;
}

static bool read_batch(const struct window *window, struct batch *batch,
                       struct rows_component *component, char *why) {
    struct words words = {0};
    bool ok = words_begin(&words, "HMGET", window->key);
    for (size_t row = 0; row < batch->n && ok; row++) {
        ok = put_row_fields(window, &words, batch->key[row], batch->len[row]);
    }
    ok = ok && words_append(window->link, &words, 1, why);
    words_free(&words);
    redisReply *reply = ok ? take_array(window, batch->n * window->per_row, why) : NULL;
    ok = reply && read_hlls(window, batch, why) &&
         give_rows(window, batch, reply->element, component, why);
    for (; batch->hlls; batch->hlls--) {
        if (batch->hll[batch->hlls - 1]) {
            freeReplyObject(batch->hll[batch->hlls - 1]);
        }
    }
    if (reply) {
        freeReplyObject(reply);
    }
    return ok;
}

/* How many rows one command may ask for. */
static size_t rows_at_once(const struct window *window) {
    size_t rows = BATCH_FIELDS / (window->per_row + 1) + 1;
    if (window->hlls && rows > BATCH_HLLS / window->hlls) {
        rows = BATCH_HLLS / window->hlls;
    }
    return rows;
}

static bool read_rows(struct window *window, char *why) {
    size_t blobs = 0;
    window->node_count = count_listed(&window->nodes);
    for (size_t i = 0; i < window->names.n; i++) {
        window->hlls += window->names.name[i].rule == ROWS_HLL;
        blobs += window->names.name[i].rule == ROWS_BLOB;
    }
    window->per_row = window->names.n - blobs + blobs * (window->part ? 1 : window->node_count) +
                      (window->part ? 1 : 0);
    const size_t most = rows_at_once(window);
    struct rows_component *component = calloc(window->per_row + window->names.n, sizeof *component);
    struct batch *batch = calloc(1, sizeof *batch);
    bool ok = component && batch && most;
    if (!ok) {
        explain(window, most ? "out of memory" : FOREIGN, why);
    }
    for (size_t at = 0; at < window->keys.len && ok;) {
        const char *key = window->keys.bytes + at;
        const char *end = memchr(key, PART_SEPARATOR, window->keys.len - at);
        ok = end || explain(window, FOREIGN, why);
        if (ok) {
            batch->key[batch->n] = key;
            batch->len[batch->n++] = (size_t)(end - key);
            at += (size_t)(end - key) + 1;
        }
        if (ok && (batch->n == most || at == window->keys.len)) {
            ok = read_batch(window, batch, component, why);
            batch->n = 0;
        }
    }
    free(batch);
    free(component);
    return ok;
}

static bool read_window(struct window *window, unsigned group, struct rows_part *part, char *why) {
    rows_window_key(window->place, group, window->key);
    const bool ok =
        read_head(window, part, why) && (window->names.n == 0 || read_rows(window, why));
    rows_names_free(&window->names);
    free(window->keys.bytes);
    free(window->nodes.bytes);
    return ok;
}

bool rows_reader_read_part(struct link *link, struct rows_part *part,
                           const struct rows_taker *taker, char *why) {
    struct window window = {.link = link, .place = part->place, .part = part, .taker = taker};
    part->sum = part->owner = 0;
    return read_window(&window, part->group, part, why);
}

bool rows_reader_read_window(struct link *link, const struct rows_place *place,
                             const struct rows_taker *taker, char *why) {
    for (unsigned group = 0; group < link_groups(link); group++) {
        struct window window = {.link = link, .place = place, .taker = taker};
        if (!read_window(&window, group, NULL, why)) {
            return false;
        }
    }
    return true;
}
