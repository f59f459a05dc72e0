#include "tools/console/log_command.h"

#include "common/options.h"
#include "eventlog/read.h"
#include "tools/console/log_cat.h"
#include "tools/console/log_damage.h"
#include "tools/console/reach.h"
#include "tools/console/terminal.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

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

/* Totals of the shard being read. */
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

/* Starts over if this is another shard. */
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
    log_damage_complain(damage);
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
    const struct eventlog_question question = {log_find_folder("check", argc, argv), INT64_MIN,
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
        return log_cat_main(argc - 1, argv + 1, now_us);
    if (argc > 1 && strcmp(argv[1], words[1]) == 0)
        return run_check(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts(
            "Usage: aforo log cat DIR [flags]\n"
            "       aforo log check DIR\n"
            "Prints the events that aforod --event-log DIR has kept; tells whether all are there.\n"
            "aforo log cat --help explains the flags.");
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (argc > 1) {
        options_explain_choice("log", argv[1], words, sizeof words / sizeof *words, why);
        terminal_complain("%s", why);
    } else {
        terminal_complain("log: needs what to do, and a directory (aforo log cat|check DIR)");
    }
    return EXIT_USAGE;
}
