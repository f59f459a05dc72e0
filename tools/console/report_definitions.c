/* See report_definitions.h. A source names its reports NAME.DIGEST; people say NAME. */
#include "tools/console/report_definitions.h"

#include "tools/console/terminal.h"
#include "view/report_answer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE (64 * 1024) /* bytes passed at a time */

_Static_assert(SOURCE_WHY_MAX >= REPORT_WHY_MAX, "its sentences fit");
_Static_assert(SOURCE_WHY_MAX >= DEFINITIONS_WHY_MAX, "and those of definitions");

static const struct report *report_of(const struct held_report *held) {
    return &held->definitions->report[0];
}

static void full_name(const struct report *report, char name[REPORT_FULL_NAME_MAX]) {
    snprintf(name, REPORT_FULL_NAME_MAX, "%s.%s", report->table.name, report->table.digest);
}

/* Makes a place for a report of that name; reports are sorted by name. */
static struct held_report *make_place(struct held_reports *reports, const char *name) {
    size_t at = reports->n++;
    for (; at > 0 && strcmp(reports->held[at - 1].name, name) > 0; at--)
        reports->held[at] = reports->held[at - 1];
    return &reports->held[at];
}

void held_reports_add(struct held_reports *reports, const char *name, const char *definition,
                      size_t len, const struct table *table) {
    const struct definitions_for purpose = {.file = name}; /* without workers: for reading only */
    if (reports->n == REPORT_DEFINITIONS_MAX)
        return;
    struct held_report *held = make_place(reports, name);
    *held = (struct held_report){.table = table};
    snprintf(held->name, sizeof held->name, "%s", name);
    held->definitions = definitions_read(definition, len, &purpose, held->why);
    if (held->definitions == NULL)
        return;
    char full[REPORT_FULL_NAME_MAX] = "";
    if (held->definitions->reports == 1)
        full_name(report_of(held), full);
    if (strcmp(full, held->name) != 0) {
        snprintf(held->why, sizeof held->why,
                 "report %s was counted by an aforo of another version, which means something else "
                 "by it",
                 name);
        definitions_free(held->definitions);
        held->definitions = NULL;
    }
}

void held_reports_free(struct held_reports *reports) {
    for (size_t i = 0; i < reports->n; i++)
        definitions_free(reports->held[i].definitions);
    reports->n = 0;
}

/* ---- which one ---- */

/* "billing" of "billing.0123456789abcdef". */
static int name_len(const struct held_report *held) {
    return (int)strcspn(held->name, ".");
}

static bool is_called(const struct held_report *held, const char *name) {
    const size_t len = (size_t)name_len(held);
    return strcmp(held->name, name) == 0 ||
           (strlen(name) == len && memcmp(held->name, name, len) == 0);
}

static void explain_unknown(const struct held_reports *reports, const char *name, char *why) {
    size_t used = (size_t)snprintf(why, SOURCE_WHY_MAX, "no report %.60s; %s", name,
                                   reports->n > 0 ? "there are:" : "there is none");
    const char *comma = "";
    for (size_t i = 0; i < reports->n && used < SOURCE_WHY_MAX; i++) {
        const struct held_report *held = &reports->held[i];
        bool said = false;
        for (size_t j = 0; j < i; j++)
            said |= name_len(&reports->held[j]) == name_len(held) &&
                    memcmp(reports->held[j].name, held->name, (size_t)name_len(held)) == 0;
        if (!said)
            used += (size_t)snprintf(why + used, SOURCE_WHY_MAX - used, "%s %.*s", comma,
                                     name_len(held), held->name);
        comma = ",";
    }
}

/* A question with everything that it needs. */
struct asked {
    const struct held_report *held;
    struct report_question question;
    int64_t newest_us; /* start of the newest window with rows; -1: none */
};

static enum report_outcome read_words(const struct report_words *words, struct report_query *query,
                                      char *why) {
    if (!report_query_set_width(query, words->window, why))
        return REPORT_UNKNOWN;
    query->from_us = words->from_us;
    query->to_us = words->to_us;
    query->last = words->last;
    query->partial = words->partial;
    query->top = words->top;
    for (unsigned i = 0; i < words->wheres; i++) {
        if (!report_query_add_where(query, words->where[i], why))
            return REPORT_WRONG;
    }
    return query->top == 0 || report_query_set_by(query, words->by, why) ? REPORT_DONE
                                                                         : REPORT_WRONG;
}

/* Finds what the words mean for one report. */
static enum report_outcome prepare(const struct held_report *held, const struct report_words *words,
                                   const struct report_opener *opener, struct asked *asked) {
    if (held->definitions == NULL) {
        memcpy(opener->why, held->why, SOURCE_WHY_MAX);
        return REPORT_AWAY;
    }
    *asked = (struct asked){
        .held = held,
        .question = {.query = {.fields = &held->definitions->fields, .report = report_of(held)},
                     .format = words->format,
                     .zone = words->zone,
                     .now_us = words->now_us,
                     .horizon_us = opener->horizon_us},
        .newest_us = -1};
    struct report_question *question = &asked->question;
    const enum report_outcome outcome = read_words(words, &question->query, opener->why);
    if (outcome != REPORT_DONE)
        return outcome;
    return opener->open(opener->cls, held, question->query.width, &question->reader) ? REPORT_DONE
                                                                                     : REPORT_AWAY;
}

/* Finds when its newest window with rows began; false: the source failed. */
static bool find_newest(struct asked *asked) {
    struct report_query newest = asked->question.query;
    int64_t first, end;
    newest.from_us = 0;
    newest.to_us = QUERY_TO_NONE;
    newest.last = 1;
    newest.partial = true;
    const enum query_outcome outcome =
        report_query_find(&newest, &asked->question.reader, asked->question.now_us, &first, &end);
    if (outcome == QUERY_ROWS)
        asked->newest_us = (end - 1) * newest.report->table.width_us[newest.width];
    return outcome != QUERY_FAILED;
}

/* Compares two definitions of a name: REPORT_DONE if one has newer rows; that is the one to
 * read. */
static enum report_outcome compare(const struct asked *one, const struct asked *other, char *why) {
    if (one->newest_us != other->newest_us)
        return REPORT_DONE;
    snprintf(why, SOURCE_WHY_MAX,
             "two definitions of %.*s were in force in its newest window: ask for %s or for %s",
             name_len(one->held), one->held->name, one->held->name, other->held->name);
    return REPORT_UNKNOWN;
}

/* Chooses which of several definitions of a name to read; asked[2] is working space. */
static enum report_outcome choose(const struct held_reports *reports,
                                  const struct report_words *words,
                                  const struct report_opener *opener, struct asked *asked,
                                  const struct held_report **found) {
    struct asked *chosen = NULL;
    enum report_outcome outcome = REPORT_DONE;
    for (size_t i = 0; i < reports->n && outcome == REPORT_DONE; i++) {
        struct asked *other = chosen != NULL && chosen == asked ? asked + 1 : asked;
        if (!is_called(&reports->held[i], words->name))
            continue;
        outcome = prepare(&reports->held[i], words, opener, other);
        if (outcome == REPORT_DONE && !find_newest(other))
            outcome = REPORT_AWAY;
        if (outcome == REPORT_DONE && chosen != NULL)
            outcome = compare(chosen, other, opener->why);
        if (outcome == REPORT_DONE && (chosen == NULL || other->newest_us > chosen->newest_us))
            chosen = other;
    }
    *found = chosen != NULL ? chosen->held : NULL;
    return outcome;
}

/* Finds the report that is meant. */
static enum report_outcome find_report(const struct held_reports *reports,
                                       const struct report_words *words,
                                       const struct report_opener *opener,
                                       const struct held_report **found) {
    size_t n = 0;
    for (size_t i = 0; i < reports->n; i++) {
        if (is_called(&reports->held[i], words->name)) {
            *found = &reports->held[i];
            n++;
        }
    }
    if (n == 0) {
        explain_unknown(reports, words->name, opener->why);
        return REPORT_UNKNOWN;
    }
    if (n == 1)
        return REPORT_DONE;
    struct asked *asked = calloc(2, sizeof *asked);
    const enum report_outcome outcome =
        asked != NULL ? choose(reports, words, opener, asked, found) : REPORT_AWAY;
    free(asked);
    return outcome;
}

/* For an answer without rows: names another definition of the report that has rows. False: the
 * source failed. */
static bool name_earlier(const struct held_reports *reports, const struct held_report *held,
                         const struct report_words *words, const struct report_opener *opener,
                         char earlier[REPORT_FULL_NAME_MAX]) {
    struct asked *other = calloc(1, sizeof *other);
    bool well = other != NULL;
    for (size_t i = 0; i < reports->n && well && earlier[0] == '\0'; i++) {
        const struct held_report *its = &reports->held[i];
        if (its == held || name_len(its) != name_len(held) ||
            memcmp(its->name, held->name, (size_t)name_len(held)) != 0 ||
            prepare(its, words, opener, other) != REPORT_DONE)
            continue;
        well = find_newest(other);
        if (well && other->newest_us >= 0)
            memcpy(earlier, its->name, sizeof its->name);
    }
    free(other);
    return well;
}

/* ---- its rows ---- */

static enum report_outcome write_all(struct report_answer *answer, const struct text_taker *taker) {
    struct text text = {0};
    enum report_answer_outcome outcome = REPORT_ANSWER_MORE;
    bool wanted = true;
    while (outcome == REPORT_ANSWER_MORE && wanted) {
        text.len = 0;
        outcome = report_answer_write(answer, PIECE, &text);
        wanted = text.len == 0 || taker->take(taker->cls, text.bytes, text.len);
    }
    text_free(&text);
    return outcome == REPORT_ANSWER_FAILED ? REPORT_AWAY : wanted ? REPORT_DONE : REPORT_STOPPED;
}

/* Prints which figures have no value here; once, however often --follow asks. */
static void tell_absent(const struct report *report) {
    static bool told;
    for (unsigned i = 0; i < report->measures && !told; i++) {
        const struct measure *measure = &report->measure[i];
        if (measure->kind != &measure_absent)
            continue;
        const int name_len = (int)strcspn(measure->text, "(");
        char name[MEASURE_TEXT_MAX];
        snprintf(name, sizeof name, "%.*s", name_len, measure->text);
        terminal_complain(
            measure_find(name) != NULL
                ? "%s is left out: the file of --measure is another one than the "
                  "server's, with another state"
                : "%s is left out: it is no measure of aforo's own; name the file that "
                  "the server has it from: --measure FILE",
            measure->text);
        told = true;
    }
}

enum report_outcome held_reports_rows(const struct held_reports *reports,
                                      const struct report_words *words,
                                      const struct report_opener *opener,
                                      const struct text_taker *taker) {
    const struct held_report *held = NULL;
    snprintf(opener->why, SOURCE_WHY_MAX, "out of memory");
    enum report_outcome outcome = find_report(reports, words, opener, &held);
    assert(outcome != REPORT_DONE || held != NULL);
    struct asked *asked = calloc(1, sizeof *asked);
    struct report_answer *answer = calloc(1, sizeof *answer);
    if (outcome == REPORT_DONE)
        outcome =
            asked != NULL && answer != NULL ? prepare(held, words, opener, asked) : REPORT_AWAY;
    if (outcome == REPORT_DONE && words->format == ROWS_JSON &&
        (!name_earlier(reports, held, words, opener, asked->question.earlier) ||
         !opener->open(opener->cls, held, asked->question.query.width, &asked->question.reader)))
        outcome = REPORT_AWAY;
    if (outcome == REPORT_DONE) {
        tell_absent(report_of(held));
        outcome =
            report_answer_begin(answer, &asked->question) ? write_all(answer, taker) : REPORT_AWAY;
        report_answer_free(answer);
    }
    free(answer);
    free(asked);
    return outcome;
}

/* ---- the list ---- */

enum report_outcome held_reports_list(const struct held_reports *reports, enum rows_format format,
                                      const struct text_taker *taker, char why[SOURCE_WHY_MAX]) {
    struct report_listing *listing = calloc(reports->n + 1, sizeof *listing);
    struct table_status *status = calloc(reports->n + 1, sizeof *status);
    struct text text = {.failed = listing == NULL || status == NULL};
    size_t n = 0;
    for (size_t i = 0; i < reports->n && !text.failed; i++) {
        const struct held_report *held = &reports->held[i];
        if (held->definitions == NULL) {
            terminal_complain("%s", held->why);
            continue;
        }
        if (held->table != NULL)
            table_status(held->table, &status[n]);
        listing[n] = (struct report_listing){&held->definitions->fields, report_of(held),
                                             held->table != NULL ? &status[n] : NULL, NULL, NULL};
        n++;
    }
    if (!text.failed)
        report_list_add(format, &(const struct report_list){.listing = listing, .n = n}, &text);
    enum report_outcome outcome = REPORT_AWAY;
    if (text.failed)
        snprintf(why, SOURCE_WHY_MAX, "out of memory");
    else
        outcome = taker->take(taker->cls, text.bytes, text.len) ? REPORT_DONE : REPORT_STOPPED;
    text_free(&text);
    free(status);
    free(listing);
    return outcome;
}
