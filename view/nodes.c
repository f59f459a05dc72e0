#include "view/nodes.h"

#include "counters/time/civil.h"
#include "counters/time/window.h"
#include "view/windows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSED "refused."
#define MS_MAX (INT64_C(1) << 52) /* more milliseconds than any valid time or age */

/* ---- words ---- */

void nodes_write(const struct node_view *node, char *words, size_t cap) {
    size_t n = (size_t)snprintf(
        words, cap,
        "version=%s started=%" PRId64 " received=%" PRIu64 " counted=%" PRIu64 " lag_ms=%" PRId64,
        node->version, node->started_us / US_PER_MS, node->received, node->counted, node->lag_ms);
    if (node->complete_through_us && n < cap) {
        n += (size_t)snprintf(words + n, cap - n, " complete_through=%" PRId64,
                              node->complete_through_us / US_PER_MS);
    }
    if (node->visible_p99_ms && n < cap) {
        n += (size_t)snprintf(words + n, cap - n, " visible_p99_ms=%" PRId64, node->visible_p99_ms);
    }
    if (node->ended && n < cap) {
        n += (size_t)snprintf(words + n, cap - n, " ended=1");
    }
    for (unsigned i = 0; i < node->reasons && n < cap; i++) {
        n += (size_t)snprintf(words + n, cap - n, " " REFUSED "%s=%" PRIu64, node->refused[i].name,
                              node->refused[i].events);
    }
}

/* A word of the text: name=value. */
struct word {
    const char *name, *value;
    size_t name_len, value_len;
};

static bool is_called(const struct word *word, const char *name) {
    return word->name_len == strlen(name) && memcmp(word->name, name, word->name_len) == 0;
}

/* 0 for anything that is not a number. */
static uint64_t read_count(const struct word *word) {
    uint64_t count = 0;
    for (size_t i = 0; i < word->value_len; i++) {
        const char digit = word->value[i];
        if (digit < '0' || digit > '9' || i > 18) {
            return 0;
        }
        count = count * 10 + (uint64_t)(digit - '0');
    }
    return count;
}

static int64_t read_ms(const struct word *word) {
    const uint64_t ms = read_count(word);
    return ms < (uint64_t)MS_MAX ? (int64_t)ms : 0;
}

/* Reads a time; one outside the calendar is unknown. */
static int64_t read_time_us(const struct word *word) {
    const int64_t ms = read_ms(word);
    return ms < CIVIL_END_US / US_PER_MS ? ms * US_PER_MS : 0;
}

static void read_reason(const struct word *word, struct node_view *node) {
    const size_t skip = sizeof REFUSED - 1, len = word->name_len - skip;
    if (node->reasons == NODES_REASONS_MAX || len == 0 || len >= NODES_REASON_MAX) {
        return;
    }
    struct node_reason *reason = &node->refused[node->reasons++];
    memcpy(reason->name, word->name + skip, len);
    reason->name[len] = '\0';
    reason->events = read_count(word);
}

static void read_word(const struct word *word, struct node_view *node) {
    if (is_called(word, "version")) {
        snprintf(node->version, sizeof node->version, "%.*s", (int)word->value_len, word->value);
    } else if (is_called(word, "started")) {
        node->started_us = read_time_us(word);
    } else if (is_called(word, "received")) {
        node->received = read_count(word);
    } else if (is_called(word, "counted")) {
        node->counted = read_count(word);
    } else if (is_called(word, "lag_ms")) {
        node->lag_ms = read_ms(word);
    } else if (is_called(word, "complete_through")) {
        node->complete_through_us = read_time_us(word);
    } else if (is_called(word, "visible_p99_ms")) {
        node->visible_p99_ms = read_ms(word);
    } else if (is_called(word, "ended")) {
        node->ended = read_count(word) != 0;
    } else if (word->name_len > sizeof REFUSED - 1 &&
               memcmp(word->name, REFUSED, sizeof REFUSED - 1) == 0) {
        read_reason(word, node);
    }
}

void nodes_read_words(const char *words, struct node_view *node) {
    node->reasons = 0;
    node->visible_p99_ms = 0; /* it is only sent while events become visible */
    while (*words) {
        words += strspn(words, " ");
        const size_t len = strcspn(words, " ");
        const char *equals = memchr(words, '=', len);
        if (equals) {
            const size_t name_len = (size_t)(equals - words);
            read_word(&(struct word){words, equals + 1, name_len, len - name_len - 1}, node);
        }
        words += len;
    }
}

/* ---- json ---- */

static void add_string(struct text *text, const char *name, const char *value) {
    text_add_string(text, name);
    text_add_json(text, value, strlen(value));
}

static void add_time(struct text *text, const char *name, int64_t us) {
    static const struct rows_form form = {.format = ROWS_JSON, .resolution = RESOLUTION_10MS};
    char time[ROWS_TIME_MAX];
    text_add_string(text, name);
    if (us <= 0 || us >= CIVIL_END_US) {
        text_add_string(text, "null");
        return;
    }
    text_add_string(text, "\"");
    text_add(text, time, rows_put_time(&form, us, 3, time));
    text_add_string(text, "\"");
}

static void add_count(struct text *text, const char *name, uint64_t count) {
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, count);
    text_add_string(text, name);
    text_add_string(text, number);
}

void nodes_add_json(const struct node_view *node, struct text *text) {
    add_string(text, "{\"node\":", node->node);
    add_string(text, ",\"version\":", node->version);
    add_time(text, ",\"started\":", node->started_us);
    add_count(text, ",\"received\":", node->received);
    add_count(text, ",\"counted\":", node->counted);
    text_add_string(text, ",\"refused\":{");
    for (unsigned i = 0; i < node->reasons; i++) {
        text_add_string(text, i ? "," : "");
        text_add_json(text, node->refused[i].name, strlen(node->refused[i].name));
        add_count(text, ":", node->refused[i].events);
    }
    add_count(text, "},\"lag_ms\":", (uint64_t)(node->lag_ms > 0 ? node->lag_ms : 0));
    add_time(text, ",\"complete_through\":", node->complete_through_us);
    if (node->visible_p99_ms > 0) {
        add_count(text, ",\"visible_p99_ms\":", (uint64_t)node->visible_p99_ms);
    } else {
        text_add_string(text, ",\"visible_p99_ms\":null");
    }
    add_time(text, ",\"last_seen\":", node->last_seen_us);
    add_string(text, ",\"state\":", node->gone ? "gone" : "here");
    text_add_string(text, "}");
}
