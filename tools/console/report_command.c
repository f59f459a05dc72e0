#include "tools/console/report_command.h"

#include "counters/measures/own.h"
#include "tools/console/report_empty.h"
#include "tools/console/report_source.h"
#include "tools/console/terminal.h"
#include "view/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2
#define POLL_MIN_US (50 * US_PER_MS) /* narrow windows come several at a time */

static struct report_words words_of(const struct flags *flags, const struct rows_zone *zone,
                                    int64_t now_us) {
    return (struct report_words){.name = flags->report.name,
                                 .window = flags->report.window,
                                 .from_us = flags->query.from_us,
                                 .to_us = flags->query.to_us,
                                 .last = flags->query.last,
                                 .partial = flags->query.partial,
                                 .where = flags->report.where,
                                 .wheres = flags->report.wheres,
                                 .top = flags->report.top,
                                 .by = flags->report.by,
                                 .format = flags->format,
                                 .zone = zone,
                                 .now_us = now_us};
}

/* Prints why a question could not be answered, and returns the exit status. */
static int complain(enum report_outcome outcome, const char *why) {
    if (outcome == REPORT_STOPPED)
        return EXIT_FAILURE; /* writing failed, and the writer knows why */
    terminal_complain("%s", why);
    return outcome == REPORT_WRONG ? EXIT_USAGE : EXIT_FAILURE;
}

static int print_once(struct source *source, const struct report_words *words,
                      struct report_writer *writer) {
    char why[SOURCE_WHY_MAX];
    const struct text_taker taker = {report_writer_take, writer};
    report_writer_begin(writer);
    const enum report_outcome outcome = source->reports->rows(source, words, &taker, why);
    if (outcome != REPORT_DONE) {
        report_writer_flush(writer);
        return complain(outcome, why);
    }
    if (!report_writer_end(writer))
        return EXIT_FAILURE;
    if (!writer->any) {
        report_empty_explain(source, words, why);
        terminal_complain("%s", why);
    }
    return EXIT_SUCCESS;
}

/* ---- --follow ---- */

/* Collects what a round returns. It is printed when complete, so that nothing is printed twice if
 * the source goes away meanwhile. */
static bool keep(void *cls, const char *bytes, size_t len) {
    struct text *text = cls;
    text_add(text, bytes, len);
    return !text->failed;
}

struct report_follow {
    struct source *source;
    struct report_writer *writer;
    const struct follow_world *world;
    struct report_words words; /* words of the next round */
    int64_t width_us;
    struct text text;
    bool complained, said;
};

/* Finds the report's first window if the words name none: an answer without rows begins with it. */
static enum report_outcome find_width(struct report_follow *follow, char *why) {
    static const char before[] = "\"window\":\"";
    struct report_words words = follow->words;
    const struct text_taker taker = {keep, &follow->text};
    words.format = ROWS_JSON;
    words.zone = NULL;
    words.from_us = words.to_us = words.last = 0;
    follow->text.len = 0;
    const enum report_outcome outcome =
        follow->source->reports->rows(follow->source, &words, &taker, why);
    if (outcome != REPORT_DONE)
        return outcome;
    text_add(&follow->text, "", 1);
    const char *name = follow->text.failed ? NULL : strstr(follow->text.bytes, before);
    name = name != NULL ? name + sizeof before - 1 : "";
    if (report_width_read(name, strcspn(name, "\""), &follow->width_us))
        return REPORT_DONE;
    snprintf(why, SOURCE_WHY_MAX, "--follow: say which windows of the report: --window 1min");
    return REPORT_WRONG;
}

/* Prints what was not printed yet of the windows that are over. */
static enum report_outcome print_new(struct report_follow *follow, char *why) {
    struct report_words *words = &follow->words;
    if (follow->width_us == 0) {
        const enum report_outcome found = find_width(follow, why);
        if (found != REPORT_DONE)
            return found;
    }
    words->now_us = follow->world->now_us(follow->world->cls);
    const int64_t over_us = words->now_us - follow->source->settle_us;
    words->to_us = over_us > 0 ? over_us / follow->width_us * follow->width_us : 0;
    if (words->from_us > words->to_us)
        return REPORT_DONE; /* nothing to ask for yet */
    const struct text_taker taker = {keep, &follow->text};
    follow->text.len = 0;
    enum report_outcome outcome = follow->source->reports->rows(follow->source, words, &taker, why);
    if (outcome != REPORT_DONE)
        return outcome;
    report_writer_begin(follow->writer);
    if (!report_writer_take(follow->writer, follow->text.bytes, follow->text.len) ||
        !report_writer_flush(follow->writer))
        return REPORT_STOPPED;
    words->from_us = words->to_us;
    words->last = 0;
    return REPORT_DONE;
}

/* Runs one round and waits for the next; false: it is over, and *status is the exit status. */
static bool follow_once(struct report_follow *follow, int *status) {
    const struct follow_world *world = follow->world;
    char why[SOURCE_WHY_MAX];
    const enum report_outcome outcome = print_new(follow, why);
    *status = EXIT_SUCCESS;
    /* After an edit both definitions have rows in the newest window, until it is over. */
    if (outcome == REPORT_AWAY || outcome == REPORT_UNCLEAR) {
        if (!follow->complained)
            world->complain(world->cls, why);
        follow->complained = true;
        return follow_wait_for_return(follow->source, world, why);
    }
    if (outcome != REPORT_DONE) {
        *status = complain(outcome, why);
        return false;
    }
    follow->complained = false;
    if (!follow->writer->any && !follow->said)
        world->waiting(world->cls);
    follow->said = true;
    const int64_t soonest_us = world->now_us(world->cls) + POLL_MIN_US,
                  next_us = follow->words.to_us + follow->width_us + follow->source->settle_us;
    return world->wait_until(world->cls, next_us > soonest_us ? next_us : soonest_us);
}

static int follow_rows(struct source *source, const struct flags *flags,
                       const struct report_words *words, struct report_writer *writer,
                       const struct follow_world *world) {
    struct report_follow follow = {
        .source = source, .writer = writer, .world = world, .words = *words};
    int status;
    follow.words.partial = true; /* to_us limits it to what is over by our clock */
    if (flags->report.window != NULL)
        report_width_read(flags->report.window, strlen(flags->report.window), &follow.width_us);
    while (follow_once(&follow, &status)) {
    }
    text_free(&follow.text);
    if (status == EXIT_SUCCESS)
        report_writer_end(writer);
    return status;
}

/* ---- the list ---- */

static int print_list(struct source *source, const struct flags *flags,
                      struct report_writer *writer) {
    char why[SOURCE_WHY_MAX];
    struct text text = {0};
    const struct text_taker taker = {keep, &text};
    const enum report_outcome outcome = source->reports->list(source, flags->format, &taker, why);
    int status = EXIT_SUCCESS;
    writer->format = ROWS_TEXT; /* as it is */
    report_writer_begin(writer);
    if (outcome != REPORT_DONE)
        status = complain(outcome, why);
    else if (!report_writer_take(writer, text.bytes, text.len) || !report_writer_flush(writer))
        status = EXIT_FAILURE;
    text_free(&text);
    return status;
}

/* Loads the measures that the report may show. False: one cannot be loaded; a message was
 * printed. */
static bool load_measures(const struct report_flags *report) {
    char why[OWN_WHY_MAX];
    for (unsigned i = 0; i < report->measures; i++) {
        if (own_load(report->measure[i], why) == NULL) {
            terminal_complain("--measure: %s", why);
            return false;
        }
    }
    return true;
}

int report_print(struct source *source, const struct flags *flags, const struct rows_zone *zone,
                 struct report_writer *writer, const struct follow_world *world) {
    writer->format = flags->format;
    if (flags->command == COMMAND_REPORTS)
        return print_list(source, flags, writer);
    if (!load_measures(&flags->report))
        return EXIT_USAGE;
    const struct report_words words = words_of(flags, zone, world->now_us(world->cls));
    return flags->follow ? follow_rows(source, flags, &words, writer, world)
                         : print_once(source, &words, writer);
}
