/* See report_empty.h. The questions are in the order of likelihood. */
#include "tools/console/report_empty.h"

#include <stdio.h>
#include <string.h>

/* The beginning of the first row's window, as text: up to the comma. */
struct newest {
    char start[ROWS_TIME_MAX];
    size_t len;
    bool whole;
};

static bool note_start(void *cls, const char *bytes, size_t len) {
    struct newest *newest = cls;
    for (size_t i = 0; i < len && !newest->whole; i++) {
        newest->whole = bytes[i] == ',';
        if (!newest->whole && newest->len + 1 < sizeof newest->start)
            newest->start[newest->len++] = bytes[i];
    }
    newest->start[newest->len] = '\0';
    return true;
}

/* Finds the newest window with rows that the words mean. False: the source failed. */
static bool find_newest(struct source *source, const struct report_words *words,
                        struct newest *newest, char *why) {
    struct report_words last = *words;
    last.format = ROWS_TEXT;
    last.last = 1;
    last.top = 0;
    last.by = NULL;
    *newest = (struct newest){.len = 0};
    const struct text_taker taker = {note_start, newest};
    return source->reports->rows(source, &last, &taker, why) == REPORT_DONE;
}

/* The end of an answer in JSON, which has `why`. */
struct json_end {
    char text[REPORT_WHY_MAX + 64];
    size_t len;
};

static bool note_end(void *cls, const char *bytes, size_t len) {
    struct json_end *end = cls;
    for (size_t i = 0; i < len; i++) {
        if (end->len + 1 == sizeof end->text) {
            end->len = sizeof end->text / 2;
            memmove(end->text, end->text + end->len - 1, end->len);
        }
        end->text[end->len++] = bytes[i];
    }
    end->text[end->len] = '\0';
    return true;
}

/* Adds what else the source itself knows: the part of its own reason after the first "; ". */
static void add_hints(struct source *source, const struct report_words *words,
                      char why[SOURCE_WHY_MAX]) {
    char ignored[SOURCE_WHY_MAX];
    struct json_end end = {.len = 0};
    struct report_words same = *words;
    const struct text_taker taker = {note_end, &end};
    same.format = ROWS_JSON;
    same.zone = NULL;
    if (source->reports->rows(source, &same, &taker, ignored) != REPORT_DONE)
        return;
    const char *begin = strstr(end.text, "],\"why\":\"");
    begin = begin != NULL ? strstr(begin, "; ") : NULL;
    const size_t used = strlen(why);
    if (begin != NULL && used < SOURCE_WHY_MAX)
        snprintf(why + used, SOURCE_WHY_MAX - used, "%.*s", (int)strcspn(begin, "\""), begin);
}

static void explain(struct source *source, const struct report_words *words,
                    char why[SOURCE_WHY_MAX]);

void report_empty_explain(struct source *source, const struct report_words *words,
                          char why[SOURCE_WHY_MAX]) {
    explain(source, words, why);
    add_hints(source, words, why);
}

static void explain(struct source *source, const struct report_words *words,
                    char why[SOURCE_WHY_MAX]) {
    struct newest newest;
    struct report_words other = *words;
    other.partial = true;
    if (!words->partial) {
        if (!find_newest(source, &other, &newest, why))
            return;
        if (newest.whole) {
            snprintf(why, SOURCE_WHY_MAX,
                     "nothing to show yet: the window with rows, %s, is not over; --partial shows "
                     "it now",
                     newest.start);
            return;
        }
    }
    other.wheres = 0;
    if (words->wheres > 0) {
        if (!find_newest(source, &other, &newest, why))
            return;
        if (newest.whole) {
            snprintf(why, SOURCE_WHY_MAX,
                     "no row there is what --where asks for; the newest of the others are in the "
                     "window %s",
                     newest.start);
            return;
        }
    }
    other.from_us = 0;
    other.to_us = QUERY_TO_NONE;
    if (!find_newest(source, &other, &newest, why))
        return;
    if (newest.whole)
        snprintf(why, SOURCE_WHY_MAX, "no rows in that span; the newest are in the window %s",
                 newest.start);
    else
        snprintf(why, SOURCE_WHY_MAX,
                 "report %.60s has no rows there: no event has matched it; aforo reports shows "
                 "which fields kept events out",
                 words->name);
}
