/* Reads the rows of windows, many rows of one window with one command. Where rows consist of
 * numbers only, several commands are pending at once, so that Redis works while replies are
 * processed. */
#include "redis/rows_reader_internal.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_FIELDS 1000 /* requested by one command, unless a single row has more */
#define BATCH_HLLS 128    /* in one pipeline; each has 12 kB */
#define BATCHES 16        /* in one pipeline, of rows that are numbers only */

_Static_assert(BATCH_HLLS <= LINK_PIPELINE_MAX && BATCHES <= LINK_PIPELINE_MAX,
               "they go out together");

/* A window whose rows are being read. */
struct reading {
    const struct rows_window *window;
    size_t node_count, hlls;
    size_t per_row; /* fields requested for each row */
    size_t at_once; /* rows requested by one command */
    bool alone;     /* no other command may be pending: its bytes are too many */
};

/* Rows that are requested together. */
struct batch {
    const struct reading *reading;
    size_t n;
    const char *key[BATCH_FIELDS];
    size_t len[BATCH_FIELDS];
    redisReply *hll[BATCH_HLLS];
    size_t hlls;
};

static bool put_field(struct words *words, const char *head, const char *node, size_t node_len,
                      const char *key, size_t key_len, const struct rows_name *name) {
    static const char separator = ROWS_SEPARATOR, part_separator = ROWS_PART_SEPARATOR;
    const size_t from = words->text.len;
    return rows_bytes_put(&words->text, head, strlen(head)) &&
           rows_bytes_put(&words->text, node, node_len) &&
           (!*head || rows_bytes_put(&words->text, &part_separator, 1)) &&
           rows_bytes_put(&words->text, key, key_len) &&
           (!name || (rows_bytes_put(&words->text, &separator, 1) &&
                      rows_bytes_put(&words->text, name->name, name->len))) &&
           words_end(words, from);
}

/* Appends the fields of a node's bytes: of the part's node, or of each node. */
static bool put_blob_fields(const struct reading *reading, struct words *words, const char *key,
                            size_t key_len, const struct rows_name *name) {
    if (reading->window->part) {
        return put_field(words, "b:", reading->window->part->node,
                         strlen(reading->window->part->node), key, key_len, name);
    }
    bool ok = true;
    for (size_t at = 0; at < reading->window->nodes.len && ok;) {
        const char *node = reading->window->nodes.bytes + at;
        const char *end = memchr(node, ROWS_PART_SEPARATOR, reading->window->nodes.len - at);
        ok = put_field(words, "b:", node, (size_t)(end - node), key, key_len, name);
        at += (size_t)(end - node) + 1;
    }
    return ok;
}

static bool put_row_fields(const struct reading *reading, struct words *words, const char *key,
                           size_t key_len) {
    bool ok = !reading->window->part ||
              put_field(words, "n:", reading->window->part->node,
                        strlen(reading->window->part->node), key, key_len, NULL);
    for (size_t i = 0; i < reading->window->names.n && ok; i++) {
        const struct rows_name *name = &reading->window->names.name[i];
        ok = name->rule == ROWS_BLOB ? put_blob_fields(reading, words, key, key_len, name)
                                     : put_field(words, "", "", 0, key, key_len, name);
    }
    return ok;
}

static bool append_hll(const struct reading *reading, const char *key, size_t key_len,
                       const struct rows_name *name, char *why) {
    const struct rows_beside hll = {name->name, key, name->len, key_len};
    struct words words = {0};
    bool ok = words_put(&words, "GET", 3);
    const size_t from = words.text.len;
    ok = ok && rows_beside_put(&words.text, reading->window->key, &hll) && words_end(&words, from);
    return rows_window_ask(reading->window, &words, ok, why);
}

/* Reads what rows have in keys of their own. */
static bool read_hlls(const struct reading *reading, struct batch *batch, char *why) {
    bool ok = true;
    for (size_t row = 0; row < batch->n && reading->hlls; row++) {
        for (size_t i = 0; i < reading->window->names.n && ok; i++) {
            if (reading->window->names.name[i].rule == ROWS_HLL) {
                ok = append_hll(reading, batch->key[row], batch->len[row],
                                &reading->window->names.name[i], why);
            }
        }
    }
    while (link_pending(reading->window->link)) {
        char later[LINK_WHY_MAX];
        redisReply *reply = link_reply(reading->window->link, ok ? why : later);
        if (reply && reply->type == REDIS_REPLY_ERROR) {
            ok = ok && rows_window_explain(reading->window, reply->str, why);
        }
        ok = ok && reply;
        batch->hll[batch->hlls++] = reply;
    }
    return ok;
}

/* Where the replies about one row come from, and where they go. */
struct taking {
    const struct reading *reading;
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

/* Reads the number of events before a blob: little-endian. */
static int64_t read_events(const char *bytes) {
    int64_t events = 0;
    for (size_t i = ROWS_EVENTS_BYTES; i-- > 0;) {
        events = events << 8 | (unsigned char)bytes[i];
    }
    return events;
}

/* Takes one component and advances past its fields. False: the row does not have it. */
static bool take_component(struct taking *taking, const struct rows_name *name) {
    const size_t fields =
        name->rule == ROWS_BLOB && !taking->reading->window->part ? taking->reading->node_count : 1;
    redisReply **element = taking->element;
    taking->element += fields;
    if (name->rule == ROWS_HLL) {
        const redisReply *hll = *taking->hll++;
        if (rows_is_text(hll)) {
            take_bytes(taking, name, hll->str, hll->len);
        }
        return true;
    }
    if (name->rule != ROWS_BLOB) {
        int64_t value = 0;
        const bool of_part =
            taking->reading->window->part && (name->rule == ROWS_ADD || name->rule == ROWS_WRAP);
        if (of_part || !rows_is_text(*element)) {
            return true;
        }
        taking->component[taking->n++] =
            (struct rows_component){.name = name->name, .rule = (enum rows_rule)name->rule};
        const bool ok = (name->rule == ROWS_ADD ? rows_total_read : rows_number_read)(
            (*element)->str, (*element)->len, &value);
        taking->component[taking->n - 1].value = value;
        return ok;
    }
    for (size_t i = 0; i < fields; i++) {
        if (rows_is_text(element[i]) && element[i]->len < ROWS_EVENTS_BYTES) {
            return false;
        }
        if (rows_is_text(element[i])) {
            take_bytes(taking, name, element[i]->str + ROWS_EVENTS_BYTES,
                       element[i]->len - ROWS_EVENTS_BYTES);
            taking->component[taking->n - 1].value = read_events(element[i]->str);
        }
    }
    return true;
}

/* Takes the node's own part, which has its sums. *mine: it has one in this row. */
static bool take_part(struct taking *taking, bool *mine) {
    const redisReply *part = *taking->element++;
    *mine = rows_is_text(part);
    return !*mine || rows_part_read(part->str, part->len, &taking->reading->window->names,
                                    &taking->count, &taking->n, taking->component);
}

/* Passes the rows of a batch on. False fills `why`, or leaves it empty when the taker stopped. */
static bool give_rows(const struct reading *reading, struct batch *batch, redisReply **element,
                      struct rows_component *component, char *why) {
    for (size_t row = 0; row < batch->n; row++) {
        struct taking taking = {.reading = reading,
                                .element = element + row * reading->per_row,
                                .hll = batch->hll + row * reading->hlls,
                                .component = component};
        bool wanted = true, ok = !reading->window->part || take_part(&taking, &wanted);
        for (size_t i = 0; i < reading->window->names.n && ok; i++) {
            ok = take_component(&taking, &reading->window->names.name[i]);
        }
        if (!ok) {
            return rows_window_explain(reading->window, ROWS_FOREIGN, why);
        }
        const struct rows_row given = {batch->key[row], batch->len[row], taking.count, taking.n,
                                       component};
        if (wanted && taking.n &&
            !reading->window->taker->take(reading->window->taker->cls, reading->window->place,
                                          &given)) {
            *why = '\0';
            return false;
        }
    }
    return true;
}

static bool ask_batch(const struct reading *reading, const struct batch *batch, char *why) {
    struct words words = {0};
    bool ok = words_begin(&words, "HMGET", reading->window->key);
    for (size_t row = 0; row < batch->n && ok; row++) {
        ok = put_row_fields(reading, &words, batch->key[row], batch->len[row]);
    }
    return rows_window_ask(reading->window, &words, ok, why);
}

static bool take_batch(struct batch *batch, struct rows_component *component, char *why) {
    const struct reading *reading = batch->reading;
    redisReply *reply = rows_window_take(reading->window, batch->n * reading->per_row, why);
    const bool ok = reply && (reading->hlls == 0 || read_hlls(reading, batch, why)) &&
                    give_rows(reading, batch, reply->element, component, why);
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

/* Takes the next rows of the reading, from *at on in its keys, and advances *at. */
static bool fill_batch(struct batch *batch, size_t *at, char *why) {
    const struct rows_window *window = batch->reading->window;
    for (batch->n = 0; batch->n < batch->reading->at_once && *at < window->keys.len; batch->n++) {
        const char *key = window->keys.bytes + *at;
        const char *end = memchr(key, ROWS_PART_SEPARATOR, window->keys.len - *at);
        if (!end) {
            return rows_window_explain(window, ROWS_FOREIGN, why);
        }
        batch->key[batch->n] = key;
        batch->len[batch->n] = (size_t)(end - key);
        *at += batch->len[batch->n] + 1;
    }
    return true;
}

void rows_pass_over_replies(struct link *link) {
    while (link_pending(link)) {
        char later[LINK_WHY_MAX];
        redisReply *reply = link_reply(link, later);
        if (reply) {
            freeReplyObject(reply);
        }
    }
}

/* Pending batches, as a ring, and what to request next. */
struct queue {
    const struct reading *reading; /* [n] */
    size_t n;
    size_t next, at;     /* number of the reading, and offset in its keys */
    struct batch *batch; /* [BATCHES] */
    size_t asked, taken;
};

/* Whether another batch may be requested now. */
static bool takes_more(const struct queue *queue, bool asking) {
    const size_t under_way = queue->asked - queue->taken;
    if (queue->next == queue->n || (under_way && !asking) || under_way == BATCHES) {
        return false;
    }
    return under_way == 0 || (!queue->reading[queue->next].alone &&
                              !queue->batch[(queue->asked - 1) % BATCHES].reading->alone);
}

static bool ask_next(struct queue *queue, char *why) {
    struct batch *batch = &queue->batch[queue->asked++ % BATCHES];
    batch->reading = &queue->reading[queue->next];
    const bool ok = fill_batch(batch, &queue->at, why) && ask_batch(batch->reading, batch, why);
    if (queue->at == batch->reading->window->keys.len) {
        queue->next++;
        queue->at = 0;
    }
    return ok;
}

/* While one batch is processed, Redis works on the next ones. */
static bool read_batches(struct queue *queue, struct rows_component *component, char *why) {
    struct link *link = queue->reading[0].window->link;
    bool ok = true, asking = true;
    while (ok && (queue->next < queue->n || queue->taken < queue->asked)) {
        if (takes_more(queue, asking)) {
            ok = ask_next(queue, why);
            asking = true;
        } else {
            ok = take_batch(&queue->batch[queue->taken++ % BATCHES], component, why);
            asking = link_takes_more(link);
        }
    }
    rows_pass_over_replies(link);
    return ok;
}

static size_t count_listed(const struct rows_bytes *list) {
    size_t n = 0;
    for (size_t i = 0; i < list->len; i++) {
        n += list->bytes[i] == ROWS_PART_SEPARATOR;
    }
    return n;
}

/* How many rows one command may request. */
static size_t rows_at_once(const struct reading *reading) {
    const size_t rows = BATCH_FIELDS / (reading->per_row + 1) + 1;
    const size_t hlls = reading->hlls ? BATCH_HLLS / reading->hlls : rows;
    return rows < hlls ? rows : hlls;
}

static struct reading begin_reading(const struct rows_window *window) {
    struct reading reading = {.window = window, .node_count = count_listed(&window->nodes)};
    size_t blobs = 0;
    for (size_t i = 0; i < window->names.n; i++) {
        reading.hlls += window->names.name[i].rule == ROWS_HLL;
        blobs += window->names.name[i].rule == ROWS_BLOB;
    }
    reading.per_row = window->names.n - blobs + blobs * (window->part ? 1 : reading.node_count) +
                      (window->part ? 1 : 0);
    reading.alone = blobs || reading.hlls;
    reading.at_once = rows_at_once(&reading);
    return reading;
}

/* Fills queue->n of the readings, and the most components that a row has. False: a window has more
 * HyperLogLogs per row than one request may have. */
static bool begin_readings(const struct rows_window *windows, size_t n, struct reading *readings,
                           struct queue *queue, size_t *components, char *why) {
    *components = 1;
    for (size_t i = 0; i < n; i++) {
        if (windows[i].names.n > 0 && windows[i].keys.len > 0) {
            struct reading *reading = &readings[queue->n++];
            *reading = begin_reading(&windows[i]);
            const size_t here = reading->per_row + windows[i].names.n;
            *components = here > *components ? here : *components;
            if (reading->at_once == 0) {
                return rows_window_explain(&windows[i], ROWS_FOREIGN, why);
            }
        }
    }
    return true;
}

bool rows_windows_read_rows(const struct rows_window *windows, size_t n, char *why) {
    struct reading readings[ROWS_READER_WINDOWS];
    struct queue queue = {.reading = readings, .batch = calloc(BATCHES, sizeof *queue.batch)};
    size_t components;
    if (!begin_readings(windows, n, readings, &queue, &components, why)) {
        free(queue.batch);
        return false;
    }
    struct rows_component *component = calloc(components, sizeof *component);
    bool ok = component && queue.batch;
    if (!ok) {
        rows_window_explain(windows, "out of memory", why);
    }
    ok = ok && (queue.n == 0 || read_batches(&queue, component, why));
    free(queue.batch);
    free(component);
    return ok;
}
