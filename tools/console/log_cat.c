#include "tools/console/log_cat.h"

#include "common/json.h"
#include "common/options.h"
#include "tools/console/log_damage.h"
#include "tools/console/log_follow.h"
#include "tools/console/reach.h"
#include "tools/console/terminal.h"
#include "tools/console/times.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2
#define NUMBER_MAX 512 /* bytes that --number puts before a record */

struct settings {
    option_TEXT from, to, cursor, into;
    option_SWITCH refused, all, number, follow;
    option_LIST where;
    option_DURATION every;
};

#define AT(field) offsetof(struct settings, field)
enum { EVERY = 11 }; /* its row in the table */

static const struct option_row rows[] = {
    {OPTION_HEADING, "", "", "", "", 0, 0, "Which records", 0},
    {OPTION_TEXT, "from", "", "TIME", "", 0, 0, "those of this time and later ones", AT(from)},
    {OPTION_TEXT, "to", "", "TIME", "", 0, 0, "those before this time", AT(to)},
    {OPTION_LIST, "where", "", "FIELD=VALUE", "", 0, 0,
     "whose field has this value; all, if several", AT(where)},
    {OPTION_SWITCH, "refused", "", "", "", 0, 0, "events that were refused, instead of counted",
     AT(refused)},
    {OPTION_SWITCH, "all", "", "", "", 0, 0, "counted and refused ones", AT(all)},
    {OPTION_HEADING, "", "", "", "", 0, 0, "As they come", 0},
    {OPTION_SWITCH, "number", "", "", "", 0, 0, "node, shard and sequence in front of each record",
     AT(number)},
    {OPTION_SWITCH, "follow", "", "", "", 0, 0, "go on with what comes, until a signal",
     AT(follow)},
    {OPTION_TEXT, "cursor", "", "FILE", "", 0, 0, "go on where the file says, and keep it",
     AT(cursor)},
    {OPTION_TEXT, "into", "", "COMMAND", "", 0, 0, "give batches to sh -c COMMAND", AT(into)},
    {OPTION_DURATION, "every", "", "DUR", "50ms", 1000, 3600000000,
     "how often to look, with --follow", AT(every)},
};

static const struct options_program program = {
    .name = "aforo log cat",
    .row = rows,
    .rows = sizeof rows / sizeof *rows,
    .usage =
        "Usage: aforo log cat DIR [flags]\n"
        "\n"
        "Prints the events that aforod --event-log DIR has kept, a line of JSON each: of each\n"
        "node and worker in the order in which they were acknowledged, also while it counts.\n"
        "Records that are damaged are named on standard error, and the exit status is 1.\n",
    .ends =
        "Times as for the other commands: -5m, today, \"2016-05-28 11:11\" (aforo --help-all).\n"
        "Fields as in definitions: route is looked for in form, object, line and query;\n"
        "json.user.id, query.a, form.a, line.a, header.Host say where.\n",
    .more = "",
    .column = 22};

/* ---- what the commands of the log share ---- */

const char *log_find_folder(const char *command, int argc, char **argv) {
    if (optind + 1 == argc && *argv[optind])
        return argv[optind];
    terminal_complain("log %s: needs one directory, that of --event-log (aforo log %s DIR)",
                      command, command);
    return NULL;
}

/* ---- records ---- */

static bool print_record(struct log_cat *cat, const struct eventlog_record *record) {
    const struct eventlog_where *where = record->where;
    char before[NUMBER_MAX];
    if (!cat->number)
        return log_output_add(&cat->output, record->text, record->len);
    struct json json = json_begin(before, sizeof before);
    json_object(&json, NULL);
    json_text(&json, "node", where->node);
    json_count(&json, "shard", where->shard);
    json_count(&json, "sequence", record->sequence);
    return log_output_add(&cat->output, json.text, json.len) &&
           log_output_add(&cat->output, ",", 1) &&
           log_output_add(&cat->output, record->text + 1, record->len - 1);
}

static bool take_record(void *cls, const struct eventlog_record *record) {
    struct log_cat *cat = cls;
    if (!(record->info.refused ? cat->refused : cat->counted)) {
        cat->passed_over++;
        return true;
    }
    if (!log_where_matches(cat->where, record->text, record->len)) {
        cat->others++;
        return true;
    }
    if (log_output_is_full(&cat->output) && !cat->flush(cat))
        return false;
    cat->printed++;
    return print_record(cat, record);
}

static void take_damage(void *cls, const struct eventlog_damage *damage) {
    struct log_cat *cat = cls;
    cat->damages++;
    log_damage_complain(damage);
}

/* ---- the end ---- */

static void say_what_is_missing(const struct log_cat *cat) {
    if (cat->others > 0)
        terminal_complain("no event there that has %s; %" PRIu64 " others",
                          cat->conditions > 1 ? "all of these values" : "this value", cat->others);
    else if (cat->passed_over > 0)
        terminal_complain("no %s events there; %" PRIu64 " %s ones (--%s)",
                          cat->counted ? "counted" : "refused", cat->passed_over,
                          cat->counted ? "refused" : "counted", "all");
    else
        terminal_complain("no events there");
}

static int end_cat(struct log_cat *cat) {
    if (cat->output.error == EPIPE) /* the reader wants no more */
        return cat->damages == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    if (cat->output.error != 0) {
        terminal_complain("standard output: %s", strerror(cat->output.error));
        return EXIT_FAILURE;
    }
    if (cat->failed)
        return EXIT_FAILURE;
    if (!cat->follows && cat->printed == 0 && cat->damages == 0)
        say_what_is_missing(cat);
    return cat->damages == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool flush_once(struct log_cat *cat) {
    return log_output_flush(&cat->output);
}

static bool read_once(struct log_cat *cat, const struct eventlog_question *question) {
    const struct eventlog_taker taker = {take_record, take_damage, cat};
    char why[EVENTLOG_READ_WHY_MAX];
    cat->flush = flush_once;
    if (eventlog_read(question, &taker, why)) {
        cat->failed = !log_output_flush(&cat->output);
        return true;
    }
    reach_note_path(question->dir);
    terminal_complain("%s", why);
    return false;
}

/* ---- the flags ---- */

static bool read_bound(const char *flag, const char *text, int64_t now_us, int64_t *us) {
    char why[TIMES_WHY_MAX];
    if (*text == '\0' || times_read(text, now_us, false, us, why))
        return true;
    terminal_complain("log cat: --%s: '%s': %s", flag, text, why);
    return false;
}

static bool span_is_right(const struct eventlog_question *question) {
    if (question->from_us == INT64_MIN || question->to_us >= question->from_us)
        return true;
    terminal_complain("log cat: --to: is before --from");
    return false;
}

static bool settings_agree(const struct settings *settings, const struct options_said *said) {
    if (settings->refused && settings->all)
        terminal_complain("log cat: --refused and --all: one of them at a time");
    else if (said->given >> EVERY & 1 && !settings->follow)
        terminal_complain("log cat: --every is of --follow, which is not there");
    else
        return true;
    return false;
}

static int run(const struct settings *settings, const struct eventlog_question *question,
               struct log_where *where) {
    struct log_cat cat = {
        .counted = !settings->refused,
        .refused = settings->refused || settings->all,
        .number = settings->number,
        .follows = settings->follow,
        .conditions = settings->where.n,
        .every_us = settings->every,
        .where = where,
        .output = {.command = *settings->into ? settings->into : NULL, .wait = log_follow_wait}};
    const struct eventlog_taker taker = {take_record, take_damage, &cat};
    const bool once = !settings->follow && !*settings->cursor;
    const bool read =
        once ? read_once(&cat, question) : log_follow(&cat, question, &taker, settings->cursor);
    const int status = read ? end_cat(&cat) : EXIT_FAILURE;
    log_output_close(&cat.output);
    return status;
}

int log_cat_main(int argc, char **argv, int64_t now_us) {
    struct settings settings = {0};
    struct options_said said;
    const enum options_outcome outcome = options_parse(&program, argc, argv, &settings, &said);
    if (outcome == OPTIONS_WRONG) {
        terminal_complain("log cat: %s", said.why);
        return EXIT_USAGE;
    }
    if (outcome != OPTIONS_RUN)
        return options_print(&program, outcome, stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
    struct eventlog_question question = {log_find_folder("cat", argc, argv), INT64_MIN, INT64_MAX};
    if (question.dir == NULL || !read_bound("from", settings.from, now_us, &question.from_us) ||
        !read_bound("to", settings.to, now_us, &question.to_us) || !span_is_right(&question) ||
        !settings_agree(&settings, &said))
        return EXIT_USAGE;
    char why[LOG_WHERE_WHY_MAX];
    struct log_where *where = log_where_new(settings.where.text, settings.where.n, why);
    if (where == NULL) {
        terminal_complain("log cat: --where: %s", why);
        return EXIT_USAGE;
    }
    const int status = run(&settings, &question, where);
    log_where_free(where);
    return status;
}
