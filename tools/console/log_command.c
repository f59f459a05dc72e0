#include "tools/console/log_command.h"

#include "common/options.h"
#include "eventlog/read.h"
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
#define OUTPUT_BYTES (1 << 20)

/* ---- what both say ---- */

static void complain_of_damage(const struct eventlog_damage *damage) {
    const struct eventlog_where *where = damage->where;
    if (damage->last == UINT64_MAX)
        terminal_complain("%s: the records of node %s, shard %u from %" PRIu64
                          " on, if there were any, cannot be read: %s",
                          where->file, where->node, where->shard, damage->first, damage->why);
    else if (damage->last < damage->first)
        terminal_complain("%s: no record is missing, but %s", where->file, damage->why);
    else
        terminal_complain(
            "%s: records %" PRIu64 " to %" PRIu64 " of node %s, shard %u cannot be read: %s",
            where->file, damage->first, damage->last, where->node, where->shard, damage->why);
}

/* The one folder that must be named. */
static const char *find_folder(const char *command, int argc, char **argv) {
    if (optind + 1 == argc && *argv[optind])
        return argv[optind];
    terminal_complain("log %s: needs one directory, that of --event-log (aforo log %s DIR)",
                      command, command);
    return NULL;
}

/* ---- cat ---- */

struct cat_settings {
    option_TEXT from, to;
    option_SWITCH refused, all;
};

static const struct option_row cat_rows[] = {
    {OPTION_HEADING, "", "", "", "", 0, 0, "Which records", 0},
    {OPTION_TEXT, "from", "", "TIME", "", 0, 0, "those of this time and later ones",
     offsetof(struct cat_settings, from)},
    {OPTION_TEXT, "to", "", "TIME", "", 0, 0, "those before this time",
     offsetof(struct cat_settings, to)},
    {OPTION_SWITCH, "refused", "", "", "", 0, 0, "events that were refused, instead of counted",
     offsetof(struct cat_settings, refused)},
    {OPTION_SWITCH, "all", "", "", "", 0, 0, "counted and refused ones",
     offsetof(struct cat_settings, all)},
};

static const struct options_program cat_program = {
    .name = "aforo log cat",
    .row = cat_rows,
    .rows = sizeof cat_rows / sizeof *cat_rows,
    .usage =
        "Usage: aforo log cat DIR [flags]\n"
        "\n"
        "Prints the events that aforod --event-log DIR has kept, a line of JSON each: of each\n"
        "node and worker in the order in which they were acknowledged, also while it counts.\n"
        "Records that are damaged are named on standard error, and the exit status is 1.\n",
    .ends =
        "Times as for the other commands: -5m, today, \"2016-05-28 11:11\" (aforo --help-all).\n",
    .more = "",
    .column = 22};

struct cat {
    bool counted, refused; /* which of them are printed */
    uint64_t printed, passed_over, damages;
    int error; /* errno of the first write that failed */
};

static bool cat_record(void *cls, const struct eventlog_record *record) {
    struct cat *cat = cls;
    if (!(record->info.refused ? cat->refused : cat->counted)) {
        cat->passed_over++;
        return true;
    }
    cat->printed++;
    if (fwrite(record->text, 1, record->len, stdout) != record->len)
        cat->error = errno;
    return cat->error == 0;
}

static void cat_damage(void *cls, const struct eventlog_damage *damage) {
    struct cat *cat = cls;
    cat->damages++;
    complain_of_damage(damage);
}

static int end_cat(struct cat *cat) {
    if (fflush(stdout) != 0 && cat->error == 0)
        cat->error = errno;
    if (cat->error == EPIPE)
        return EXIT_SUCCESS; /* the reader has had enough */
    if (cat->error != 0) {
        terminal_complain("standard output: %s", strerror(cat->error));
        return EXIT_FAILURE;
    }
    if (cat->printed == 0 && cat->damages == 0) {
        if (cat->passed_over > 0)
            terminal_complain("no %s events there; %" PRIu64 " %s ones (--%s)",
                              cat->counted ? "counted" : "refused", cat->passed_over,
                              cat->counted ? "refused" : "counted", "all");
        else
            terminal_complain("no events there");
    }
    return cat->damages == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool read_bound(const char *flag, const char *text, int64_t now_us, int64_t *us) {
    char why[TIMES_WHY_MAX];
    if (*text == '\0' || times_read(text, now_us, false, us, why))
        return true;
    terminal_complain("log cat: --%s: '%s': %s", flag, text, why);
    return false;
}

static int run_cat(int argc, char **argv, int64_t now_us) {
    struct cat_settings settings = {0};
    struct options_said said;
    const enum options_outcome outcome = options_parse(&cat_program, argc, argv, &settings, &said);
    if (outcome == OPTIONS_WRONG) {
        terminal_complain("log cat: %s", said.why);
        return EXIT_USAGE;
    }
    if (outcome != OPTIONS_RUN)
        return options_print(&cat_program, outcome, stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
    struct eventlog_question question = {find_folder("cat", argc, argv), INT64_MIN, INT64_MAX};
    if (question.dir == NULL || !read_bound("from", settings.from, now_us, &question.from_us) ||
        !read_bound("to", settings.to, now_us, &question.to_us))
        return EXIT_USAGE;
    if (settings.refused && settings.all) {
        terminal_complain("log cat: --refused and --all: one of them at a time");
        return EXIT_USAGE;
    }
    struct cat cat = {.counted = !settings.refused, .refused = settings.refused || settings.all};
    const struct eventlog_taker taker = {cat_record, cat_damage, &cat};
    char why[EVENTLOG_READ_WHY_MAX];
    setvbuf(stdout, NULL, _IOFBF, OUTPUT_BYTES);
    if (!eventlog_read(&question, &taker, why)) {
        reach_note_path(question.dir);
        terminal_complain("%s", why);
        return EXIT_FAILURE;
    }
    return end_cat(&cat);
}

/* ---- check ---- */

static const struct options_program check_program = {
    .name = "aforo log check",
    .row = NULL,
    .rows = 0,
    .usage =
        "Usage: aforo log check DIR\n"
        "\n"
        "Reads all of an event log: each block's checksum, its number of records, the digest of\n"
        "all before it. One line for each node and worker; what is damaged or missing is named\n"
        "by its numbers, and the exit status is 1.\n",
    .ends = "",
    .more = "",
    .column = 22};

/* Of the shard that is being read. */
struct tally {
    char node[EVENTLOG_READ_WHY_MAX];
    unsigned shard;
    bool any;
    uint64_t first, last, records, refused, damages;
    uint64_t damages_of_all;
};

static void print_tally(struct tally *tally) {
    char node[EVENTLOG_READ_WHY_MAX];
    if (!tally->any)
        return;
    printf("%s/%u: ", terminal_safe(tally->node, node, sizeof node), tally->shard);
    if (tally->records == 0)
        printf("no records");
    else
        printf("records %" PRIu64 " to %" PRIu64 ": %" PRIu64 " counted, %" PRIu64 " refused",
               tally->first, tally->last, tally->records - tally->refused, tally->refused);
    printf("%s\n", tally->damages > 0 ? "; DAMAGED" : "");
}

/* Begins another shard's when this is one. */
static void turn_to(struct tally *tally, const struct eventlog_where *where) {
    if (tally->any && tally->shard == where->shard && strcmp(tally->node, where->node) == 0)
        return;
    print_tally(tally);
    snprintf(tally->node, sizeof tally->node, "%s", where->node);
    tally->shard = where->shard;
    tally->any = true;
    tally->first = tally->last = tally->records = tally->refused = tally->damages = 0;
}

static bool check_record(void *cls, const struct eventlog_record *record) {
    struct tally *tally = cls;
    turn_to(tally, record->where);
    if (tally->records++ == 0)
        tally->first = record->sequence;
    tally->last = record->sequence;
    tally->refused += record->info.refused;
    return true;
}

static void check_damage(void *cls, const struct eventlog_damage *damage) {
    struct tally *tally = cls;
    turn_to(tally, damage->where);
    tally->damages++;
    tally->damages_of_all++;
    complain_of_damage(damage);
}

static int run_check(int argc, char **argv) {
    struct options_said said;
    struct {
        int none;
    } settings;
    const enum options_outcome outcome =
        options_parse(&check_program, argc, argv, &settings, &said);
    if (outcome == OPTIONS_WRONG) {
        terminal_complain("log check: %s", said.why);
        return EXIT_USAGE;
    }
    if (outcome != OPTIONS_RUN)
        return options_print(&check_program, outcome, stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
    const struct eventlog_question question = {find_folder("check", argc, argv), INT64_MIN,
                                               INT64_MAX};
    if (question.dir == NULL)
        return EXIT_USAGE;
    struct tally tally = {0};
    const struct eventlog_taker taker = {check_record, check_damage, &tally};
    char why[EVENTLOG_READ_WHY_MAX];
    if (!eventlog_read(&question, &taker, why)) {
        reach_note_path(question.dir);
        terminal_complain("%s", why);
        return EXIT_FAILURE;
    }
    print_tally(&tally);
    if (!tally.any)
        terminal_complain("no events there");
    if (fflush(stdout) != 0 && errno != EPIPE) {
        terminal_complain("standard output: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    return tally.damages_of_all == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the command ---- */

int log_main(int argc, char **argv, int64_t now_us) {
    static const char *const words[] = {"cat", "check"};
    char why[OPTIONS_WHY_MAX];
    if (argc > 1 && strcmp(argv[1], words[0]) == 0)
        return run_cat(argc - 1, argv + 1, now_us);
    if (argc > 1 && strcmp(argv[1], words[1]) == 0)
        return run_check(argc - 1, argv + 1);
    if (argc > 1) {
        options_explain_choice("log", argv[1], words, sizeof words / sizeof *words, why);
        terminal_complain("%s", why);
    } else {
        terminal_complain("log: needs what to do, and a directory (aforo log cat|check DIR)");
    }
    return EXIT_USAGE;
}
