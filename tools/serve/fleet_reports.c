/* Answers about reports, kept as long as other readings: the same question within that time gets
 * the same answer, and costs Redis nothing. */
#include "tools/serve/fleet_internal.h"

#include "server/process/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* the most memory that an answer may take, since it is made as a whole */
#define REPORT_MAX ((size_t)64 * 1024 * 1024)
/* a larger answer is not kept, to bound the table; few ask for one at the same time */
#define KEPT_MAX ((size_t)256 * 1024)

static bool take_text(void *cls, const char *bytes, size_t len) {
    struct text *text = cls;
    text_add(text, bytes, len);
    return !text->failed && text->len <= REPORT_MAX;
}

static void add_number(struct text *text, int64_t number) {
    char digits[32];
    text_add(text, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, number));
    text_add(text, "", 1);
}

static void add_word(struct text *text, const char *said) {
    text_add(text, said ? said : "", said ? strlen(said) + 1 : 1);
}

/* Writes everything that an answer depends on, except the time. Each part ends with a NUL, which no
 * part contains, so that different questions have different texts. */
static void write_question(const struct report_words *words, struct text *text) {
    add_word(text, words->name);
    add_word(text, words->window);
    add_word(text, words->by);
    const int64_t numbers[] = {words->from_us, words->to_us,  words->last,  words->partial,
                               words->top,     words->format, words->wheres};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        add_number(text, numbers[i]);
    }
    for (unsigned i = 0; i < words->wheres; i++) {
        add_word(text, words->where[i]);
    }
}

static bool is_fresh(const struct fleet_answer *kept, const struct text *question,
                     int64_t steady_us) {
    return kept->question.len == question->len && question->len > 0 &&
           steady_us - kept->read_us < FLEET_KEPT_US &&
           memcmp(kept->question.bytes, question->bytes, question->len) == 0;
}

/* Finds a kept answer; NULL: there is none. */
static const struct fleet_answer *find_answer(const struct fleet *fleet,
                                              const struct text *question, int64_t steady_us) {
    for (size_t i = 0; i < FLEET_ANSWERS; i++) {
        if (is_fresh(&fleet->answer[i], question, steady_us)) {
            return &fleet->answer[i];
        }
    }
    return NULL;
}

/* Keeps an answer in place of the oldest one; takes ownership of the question. */
static void keep_answer(struct fleet *fleet, struct text *question, const struct text *text,
                        int64_t steady_us) {
    struct fleet_answer *oldest = &fleet->answer[0];
    for (size_t i = 1; i < FLEET_ANSWERS; i++) {
        oldest = fleet->answer[i].read_us < oldest->read_us ? &fleet->answer[i] : oldest;
    }
    oldest->text.len = 0;
    text_add(&oldest->text, text->bytes, text->len);
    text_free(&oldest->question);
    oldest->question = *question;
    oldest->read_us = steady_us;
    *question = (struct text){0};
    if (oldest->text.failed || oldest->question.failed) {
        fleet_free_answer(oldest);
    }
}

void fleet_free_answer(struct fleet_answer *answer) {
    text_free(&answer->question);
    text_free(&answer->text);
    *answer = (struct fleet_answer){0};
}

static enum report_outcome end_report(struct fleet *fleet, enum report_outcome outcome,
                                      const char *sentence, char *why) {
    snprintf(why, FLEET_WHY_MAX, "%s", sentence);
    if (outcome == REPORT_AWAY) {
        fleet_fail(fleet, sentence);
    } else if (outcome == REPORT_STOPPED) {
        snprintf(why, FLEET_WHY_MAX,
                 "the answer would be larger than 64 MiB: ask for less, by from, to, where or top");
    }
    return outcome;
}

/* Asks Redis; `words` NULL: for the list of reports, in that format. */
static enum report_outcome ask(struct fleet *fleet, const struct report_words *words,
                               enum rows_format format, struct text *text, char *why) {
    const struct text_taker taker = {take_text, text};
    const struct report_ops *ops = fleet->source->reports;
    char sentence[SOURCE_WHY_MAX] = "";
    const enum report_outcome outcome = words ? ops->rows(fleet->source, words, &taker, sentence)
                                              : ops->list(fleet->source, format, &taker, sentence);
    return end_report(fleet, outcome, sentence, why);
}

/* The same, or the answer of a moment ago. Only successful answers are kept. */
static enum report_outcome answer(struct fleet *fleet, const struct report_words *words,
                                  enum rows_format format, struct text *text, char *why) {
    struct text question = {0};
    if (!fleet_is_here(fleet, why)) {
        return REPORT_AWAY;
    }
    if (words) {
        write_question(words, &question);
    } else {
        add_number(&question, format);
    }
    const int64_t steady_us = clock_steady_us(); /* taken before the reading */
    const struct fleet_answer *kept = find_answer(fleet, &question, steady_us);
    enum report_outcome outcome = REPORT_DONE;
    if (kept) {
        text_add(text, kept->text.bytes, kept->text.len);
    } else {
        outcome = ask(fleet, words, format, text, why);
        if (outcome == REPORT_DONE && !text->failed && text->len <= KEPT_MAX) {
            keep_answer(fleet, &question, text, steady_us);
        }
    }
    text_free(&question);
    return outcome;
}

enum report_outcome fleet_report(struct fleet *fleet, const struct report_words *words,
                                 struct text *text, char *why) {
    return answer(fleet, words, words->format, text, why);
}

enum report_outcome fleet_report_list(struct fleet *fleet, enum rows_format format,
                                      struct text *text, char *why) {
    return answer(fleet, NULL, format, text, why);
}
