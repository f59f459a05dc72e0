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

/* Makes the list longer if it is full. False when out of memory. */
static bool grow(struct held_reports *reports) {
    if (reports->n < reports->cap)
        return true;
    const size_t cap = reports->cap > 0 ? 2 * reports->cap : 16;
    struct held_entry *grown = realloc(reports->held, cap * sizeof *grown);
    if (grown == NULL)
        return false;
    reports->held = grown;
    reports->cap = cap;
    return true;
}

/* Makes a place for one more report, sorted by name; NULL when out of memory. */
static struct held_report *make_place(struct held_reports *reports, const char *name) {
    struct held_report *held = grow(reports) ? calloc(1, sizeof *held) : NULL;
    if (held == NULL)
        return NULL;
    size_t at = reports->n++;
    for (; at > 0 && strcmp(reports->held[at - 1].report->name, name) > 0; at--)
        reports->held[at] = reports->held[at - 1];
    reports->held[at].report = held;
    return held;
}

bool held_reports_add(struct held_reports *reports, const char *name, const char *definition,
                      size_t len, const struct table *table) {
    const struct definitions_for purpose = {.file = name}; /* without workers: for reading only */
    struct held_report *held = make_place(reports, name);
    if (held == NULL)
        return false;
    held->table = table;
    snprintf(held->name, sizeof held->name, "%s", name);
    held->definitions = definitions_read(definition, len, &purpose, held->why);
    if (held->definitions == NULL)
        return true;
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
    return true;
}

void held_reports_free(struct held_reports *reports) {
    for (size_t i = 0; i < reports->n; i++) {
        definitions_free(reports->held[i].report->definitions);
        free(reports->held[i].report);
    }
    free(reports->held);
    *reports = (struct held_reports){0};
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
        const struct held_report *held = reports->held[i].report;
        bool said = false;
        for (size_t j = 0; j < i; j++)
            said |= name_len(reports->held[j].report) == name_len(held) &&
                    memcmp(reports->held[j].report->name, held->name, (size_t)name_len(held)) == 0;
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
                     .horizon_us = opener->horizon_us}};
    struct report_question *question = &asked->question;
    const enum report_outcome outcome = read_words(words, &question->query, opener->why);
    if (outcome != REPORT_DONE)
        return outcome;
    return opener->open(opener->cls, held, question->query.width, &question->reader) ? REPORT_DONE
                                                                                     : REPORT_AWAY;
}

/* ---- which of several definitions ---- */

/* Microseconds [start, end); end 0: none. */
struct span {
    int64_t start_us, end_us;
};

static const struct span any_time = {0, QUERY_TO_NONE};

/* What finding the newest rows needs. */
struct search {
    const struct report_words *words;
    const struct report_opener *opener;
    struct report_query query; /* working space */
};

/* Finds the newest window of number `width` with rows, whatever they are, of those that `within`
 * touches. False: the source failed. */
static bool find_newest(struct search *search, const struct held_report *held, unsigned width,
                        struct span within, struct span *newest) {
    const int64_t width_us = report_of(held)->table.width_us[width];
    const int64_t from_us = within.start_us - width_us + 1;
    struct report_reader reader;
    int64_t first, end;
    search->query = (struct report_query){.fields = &held->definitions->fields,
                                          .report = report_of(held),
                                          .width = width,
                                          .from_us = from_us > 0 ? from_us : 0,
                                          .to_us = within.end_us,
                                          .last = 1,
                                          .partial = true};
    *newest = (struct span){0, 0};
    if (!search->opener->open(search->opener->cls, held, width, &reader))
        return false;
    const enum query_outcome outcome =
        report_query_find(&search->query, &reader, search->words->now_us, &first, &end);
    if (outcome == QUERY_ROWS)
        *newest = (struct span){(end - 1) * width_us, end * width_us};
    return outcome != QUERY_FAILED;
}

/* Finds the narrowest of the newest windows with rows. It begins with the widest: there are few of
 * them, and they are kept when the narrow ones are long gone. */
static bool find_narrowest(struct search *search, const struct held_report *held,
                           struct span *newest) {
    struct span found;
    *newest = (struct span){0, 0};
    for (unsigned width = report_of(held)->table.widths; width-- > 0;) {
        if (!find_newest(search, held, width, newest->end_us > 0 ? *newest : any_time, &found))
            return false;
        if (found.end_us > 0)
            *newest = found;
    }
    return true;
}

/* The definitions of one name that this program can read, in the order of their digests. */
struct candidates {
    size_t n;
    struct candidate {
        const struct held_report *held;
        struct span newest; /* its newest window with rows */
    } * at;
};

/* Sets *width to the number of the window asked for. */
static bool find_width(struct search *search, const struct held_report *held, unsigned *width) {
    char why[REPORT_WHY_MAX];
    search->query = (struct report_query){.report = report_of(held)};
    const bool found = report_query_set_width(&search->query, search->words->window, why);
    *width = search->query.width;
    return found;
}

/* Whether all of them have the window asked for, so that they can be compared by it. */
static bool share_width(const struct candidates *candidates, struct search *search) {
    int64_t width_us = 0;
    bool same = true;
    for (size_t i = 0; i < candidates->n && same; i++) {
        const struct held_report *held = candidates->at[i].held;
        unsigned width;
        same = find_width(search, held, &width) &&
               (i == 0 || report_of(held)->table.width_us[width] == width_us);
        width_us = report_of(held)->table.width_us[width];
    }
    return same;
}

/* Finds the newest window with rows of each. What else the words ask for plays no part: an earlier
 * definition need not know it. False: the source failed. */
static bool find_all_newest(struct candidates *candidates, struct search *search) {
    const bool shared = share_width(candidates, search);
    bool well = true;
    for (size_t i = 0; i < candidates->n && well; i++) {
        struct candidate *its = &candidates->at[i];
        unsigned width = 0;
        if (shared)
            well = find_width(search, its->held, &width) &&
                   find_newest(search, its->held, width, any_time, &its->newest);
        else
            well = find_narrowest(search, its->held, &its->newest);
    }
    return well;
}

/* Of definitions without rows, the first that the words fit; if they fit none, the first. */
static const struct held_report *choose_fitting(const struct candidates *candidates,
                                                struct search *search) {
    char why[SOURCE_WHY_MAX];
    for (size_t i = 0; i < candidates->n; i++) {
        const struct held_report *held = candidates->at[i].held;
        search->query =
            (struct report_query){.fields = &held->definitions->fields, .report = report_of(held)};
        if (read_words(search->words, &search->query, why) == REPORT_DONE)
            return held;
    }
    return candidates->at[0].held;
}

/* Chooses the one with the newest rows. REPORT_UNCLEAR: another has rows in the same window. */
static enum report_outcome choose(struct candidates *candidates, struct search *search,
                                  const struct held_report **found) {
    if (!find_all_newest(candidates, search))
        return REPORT_AWAY;
    const struct candidate *best = &candidates->at[0];
    for (size_t i = 1; i < candidates->n; i++) {
        const struct candidate *other = &candidates->at[i];
        if (other->newest.end_us > 0 &&
            (best->newest.end_us == 0 || other->newest.start_us > best->newest.start_us))
            best = other;
    }
    *found = best->newest.end_us > 0 ? best->held : choose_fitting(candidates, search);
    for (size_t i = 0; i < candidates->n && best->newest.end_us > 0; i++) {
        const struct candidate *other = &candidates->at[i];
        if (other == best || other->newest.end_us <= best->newest.start_us)
            continue;
        snprintf(search->opener->why, SOURCE_WHY_MAX,
                 "two definitions of %.*s were in force in its newest window: ask for %s or for %s",
                 name_len(best->held), best->held->name, best->held->name, other->held->name);
        return REPORT_UNCLEAR;
    }
    return REPORT_DONE;
}

/* Prints that a definition cannot be read, since its rows might be the newest; once, however often
 * --follow asks. */
static void tell_left_out(const struct held_report *held) {
    static bool told;
    if (!told)
        terminal_complain("%s; it is left out", held->why);
    told = true;
}

/* Collects those that can be read. If there is only one, or none, *found is it, or the first of the
 * others. */
static void collect(const struct held_reports *reports, const char *name,
                    struct candidates *candidates, const struct held_report **found) {
    const struct held_report *unreadable = NULL;
    for (size_t i = 0; i < reports->n; i++) {
        const struct held_report *held = reports->held[i].report;
        if (!is_called(held, name))
            continue;
        if (held->definitions != NULL)
            candidates->at[candidates->n++].held = held;
        else if (unreadable == NULL)
            unreadable = held;
    }
    *found = candidates->n > 0 ? candidates->at[0].held : unreadable;
    if (candidates->n > 0 && unreadable != NULL)
        tell_left_out(unreadable);
}

/* Finds the report that is meant. */
static enum report_outcome find_report(const struct held_reports *reports,
                                       const struct report_words *words,
                                       const struct report_opener *opener,
                                       const struct held_report **found) {
    struct candidates candidates = {.at = calloc(reports->n + 1, sizeof *candidates.at)};
    struct search *search = calloc(1, sizeof *search);
    enum report_outcome outcome = REPORT_AWAY;
    if (candidates.at != NULL && search != NULL) {
        *search = (struct search){.words = words, .opener = opener};
        collect(reports, words->name, &candidates, found);
        outcome = candidates.n > 1 ? choose(&candidates, search, found)
                  : *found != NULL ? REPORT_DONE
                                   : REPORT_UNKNOWN;
        if (outcome == REPORT_UNKNOWN)
            explain_unknown(reports, words->name, opener->why);
    }
    free(search);
    free(candidates.at);
    return outcome;
}

static bool are_of_one_name(const struct held_report *one, const struct held_report *other) {
    return name_len(one) == name_len(other) &&
           memcmp(one->name, other->name, (size_t)name_len(one)) == 0;
}

/* For an answer without rows: names another definition of the report that has rows. False: the
 * source failed. */
static bool name_earlier(const struct held_reports *reports, const struct held_report *held,
                         const struct report_words *words, const struct report_opener *opener,
                         char earlier[REPORT_FULL_NAME_MAX]) {
    struct asked *other = calloc(1, sizeof *other);
    struct search *search = calloc(1, sizeof *search);
    bool well = other != NULL && search != NULL;
    if (well)
        *search = (struct search){.words = words, .opener = opener};
    for (size_t i = 0; i < reports->n && well && earlier[0] == '\0'; i++) {
        const struct held_report *its = reports->held[i].report;
        struct span newest;
        if (its == held || !are_of_one_name(its, held) ||
            prepare(its, words, opener, other) != REPORT_DONE)
            continue;
        well = find_newest(search, its, other->question.query.width, any_time, &newest);
        if (well && newest.end_us > 0)
            memcpy(earlier, its->name, sizeof its->name);
    }
    free(search);
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
        const struct held_report *held = reports->held[i].report;
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
