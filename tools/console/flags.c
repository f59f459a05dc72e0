/* See flags.h. */
#include "tools/console/flags.h"

#include "common/usage.h"
#include "counters/time/horizon.h"
#include "reports/definitions.h"
#include "tools/console/times.h"

#include <string.h>
#include <unistd.h>

/* What was read word by word, before the words are checked together. */
struct given {
    struct flags flags;
    option_LIST sources; /* each has a kind: enum source_kind */
    option_CHOICE format;
    /* converted to times after all words are read, since --local may come last */
    option_TEXT from, to;
    option_TEXT token_file, ca_file;
    option_TEXT window, by;
    option_LIST wheres, measures;
    option_COUNT top;
    int64_t now_us;
    bool rows_only;   /* a flag about rows was given */
    bool report_only; /* a flag about the rows of a report was given */
};

static const struct option_row rows[] = {
#define HEADING(sentence) {OPTION_HEADING, "", "", "", "", 0, 0, sentence, 0},
#define FLAG(type, field, flag, variable, argument, default_text, min, max, sentence)              \
    {OPTION_##type, flag,         variable,                                                        \
     argument,      default_text, min,                                                             \
     max,           sentence,     offsetof(struct given, field)},
#define ROWS_FLAG FLAG
#define REPORT_FLAG FLAG
#define VARIABLE(variable)
#include "tools/console/flags.def"
#undef HEADING
#undef FLAG
#undef ROWS_FLAG
#undef REPORT_FLAG
};

/* What a flag is about. */
enum subject { ANY, THE_ROWS, THE_REPORT };

static const enum subject subjects[] = {
#define HEADING(sentence) ANY,
#define FLAG(type, field, flag, variable, argument, default_text, min, max, sentence) ANY,
#define ROWS_FLAG(type, field, flag, variable, argument, default_text, min, max, sentence) THE_ROWS,
#define REPORT_FLAG(type, field, flag, variable, argument, default_text, min, max, sentence)       \
    THE_REPORT,
#include "tools/console/flags.def"
#undef HEADING
#undef FLAG
#undef ROWS_FLAG
#undef REPORT_FLAG
#undef VARIABLE
};

#define ROWS (sizeof rows / sizeof *rows)
_Static_assert(ROWS <= OPTIONS_MAX, "raise OPTIONS_MAX");
_Static_assert(FLAGS_PLACES_MAX >= OPTIONS_LIST_MAX, "room for all of a list");
_Static_assert(FLAGS_WHY_MAX >= OPTIONS_WHY_MAX, "room for the sentences of both");

static const char usage[] =
    "Usage: aforo 10ms|1s|1min [flags]   counted events, one window a line (UTC):\n"
    "                                    2016-05-28 11:11:11.120, 122\n"
    "       aforo total [flags]          how many there were, as one number\n"
    "       aforo reports, report NAME   which reports there are; the rows of one\n"
    "       aforo top [flags]            windows and nodes as it comes in; q ends\n"
    "       aforo status|check [flags]   how servers are; whether the counts hold\n"
    "       aforo reports check FILE     mistakes in reports, and what they cost\n"
    "       aforo reports prove FILE     whether a measure of your own keeps the laws\n"
    "       aforo backup DIR TO          a copy of a state that a server counts in\n"
    "       aforo serve --redis URL      what all servers count, over HTTP\n"
    "       aforo log cat|check DIR      events that were kept, and whether all are\n"
    "       aforo replay DIR [flags]     what was kept, counted again for any report\n"
    "       aforo diff SOURCE SOURCE     each window in which two of them differ\n";

static const char more[] =
    "\n"
    "Times\n"
    "  -90s, -5m, -1h, -7d       so long ago, to the second; from 1h on to the minute\n"
    "  now, today                today begins at midnight\n"
    "  2016-05-28                that day's midnight; with a minute: \"2016-05-28 11:11\"\n"
    "  2016-05-28 11:11:11.12    with T instead of the blank, and Z or +02:00 at the end\n"
    "  1464433871                Unix time, in s, ms, us or ns by its size\n"
    "  Those without a zone are UTC; with --local they are of this machine's zone ($TZ).\n"
    "\n"
    "Rows\n"
    "  Rows end with the newest window that holds events. Without --last they begin with\n"
    "  the first one in the span; with --last N there are N, fewer only where the source\n"
    "  keeps no more. No rows: why there are none is said on standard error, and the exit\n"
    "  status is 0. csv and json carry each window's state: open (not over), closed (over,\n"
    "  a late event may still change it), final. openmetrics has final windows alone, for\n"
    "  promtool tsdb create-blocks-from openmetrics.\n"
    "\n"
    "aforo total\n"
    "  Every event in [--from, --to), also of windows that are not over, whichever windows\n"
    "  the bounds cut; bounds between two 10 ms windows are taken to the later one. Without\n"
    "  bounds: all that the source keeps.\n"
    "\n"
    "aforo report\n"
    "  A row for each key and window that has events, sorted by key. --last counts windows.\n"
    "  A value is given to --where as csv shows it; (other) is where events went whose key\n"
    "  found no room. --follow prints the rows of each window as it closes.\n"
    "\n"
    "aforo top\n"
    "  Bars of the newest windows, the rate of the last second, what came late or was\n"
    "  refused, and the nodes. Keys: q ends, p pauses, + and - choose the windows, ? helps.\n"
    "  Where standard output is no terminal, or TERM is dumb, it prints each second as it\n"
    "  closes. NO_COLOR is heeded, and without UTF-8 in the locale the bars are ASCII.\n"
    "\n"
    "aforo status\n"
    "  One line for each --server URL (up to 64): what its /healthz and /stats say. The\n"
    "  exit status is 3 when one of them does not answer, 1 when its store is away.\n"
    "\n"
    "aforo check\n"
    "  Whether what must hold of counts does, for windows that are over: a second is the sum\n"
    "  of its 10 ms windows, a minute that of its seconds, in each source; in Redis each total\n"
    "  is the sum of what the nodes have reported, as it lies there. Sources of several\n"
    "  kinds must agree: all --server together, all --state together, and --redis. Each\n"
    "  window that disagrees is named, and the exit status is 1; so it is when nothing could\n"
    "  be compared. --from and --to bound it: where a server's state was begun anew, or\n"
    "  Redis keeps less than 2h, 7d and 400d, begin after that.\n"
    "\n"
    "aforo backup\n"
    "  A copy of the state directory DIR in the directory TO, while a server counts in it:\n"
    "  what it acknowledged before is in the copy, which takes the first one's place.\n"
    "\n"
    "Places of Redis\n"
    "  redis://[user:pass@]host[:port][/db], unix:///path[?db=N],\n"
    "  redis+sentinel://[user:pass@]host[:port],.../master[/db],\n"
    "  redis+cluster://[user:pass@]host[:port],...\n"
    "  A password is better in $AFORO_REDIS_PASSWORD, or in the file that\n"
    "  $AFORO_REDIS_PASSWORD_FILE names, than in the URL.\n"
    "\n"
    "Examples\n"
    "  aforo 1s --follow                             as it comes in\n"
    "  aforo 1min --from today --local               today's minutes, by the clock on the wall\n"
    "  aforo 10ms --from -5m --format csv > 5m.csv\n"
    "  aforo report billing --window 1min --where flight=AA1 --last 1\n"
    "  aforo report billing --top 20 --by 'sum(seconds)' --redis redis://r\n"
    "  aforo total --from \"2016-05-28 11:00\" --to \"2016-05-28 12:00\"\n"
    "  aforo status --server http://a:8080 --server http://b:8080\n"
    "  aforo check --server http://a:8080 --server http://b:8080 --redis redis://r\n"
    "\n"
    "Exit status: 0 done, 1 something failed or is not as it should be, 2 wrong usage, 3 the\n"
    "source cannot be reached.\n";

static const struct options_program aforo = {
    .name = "aforo",
    .row = rows,
    .rows = ROWS,
    .usage = usage,
    .ends = "--version; --help-all: the other flags, more on all of them, and examples.\n",
    .more = more,
    .column = 22};

static const char *const source_flags[] = {
    [SOURCE_REDIS] = "--redis", [SOURCE_SERVER] = "--server", [SOURCE_STATE] = "--state"};

/* The commands, as words of the command line. */
static const struct {
    const char *word;
    enum command command;
} commands[] = {
    {"10ms", COMMAND_ROWS},     {"1s", COMMAND_ROWS},         {"1min", COMMAND_ROWS},
    {"total", COMMAND_TOTAL},   {"status", COMMAND_STATUS},   {"check", COMMAND_CHECK},
    {"report", COMMAND_REPORT}, {"reports", COMMAND_REPORTS}, {"backup", COMMAND_BACKUP},
    {"log", COMMAND_LOG},       {"replay", COMMAND_REPLAY},   {"diff", COMMAND_DIFF},
    {"serve", COMMAND_SERVE},   {"top", COMMAND_TOP}};
#define COMMANDS (sizeof commands / sizeof *commands)

/* Finds the command of that word; if there is none, false, and `why` lists the commands. */
static bool find_command(const char *said, struct flags *flags, char *why) {
    const char *words[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++) {
        words[i] = commands[i].word;
        if (strcmp(said, words[i]) == 0) {
            flags->command = commands[i].command;
            return flags->command != COMMAND_ROWS ||
                   resolution_by_name(said, &flags->query.resolution);
        }
    }
    options_explain_choice("", said, words, COMMANDS, why);
    return false;
}

/* Reads the word after "report". */
static bool read_report_name(int argc, char **argv, struct flags *flags, char *why) {
    if (optind + 1 == argc) {
        snprintf(why, FLAGS_WHY_MAX, "report: which one? aforo reports lists them");
    } else if (optind + 2 < argc) {
        snprintf(why, FLAGS_WHY_MAX,
                 "'%.40s' and '%.40s': one report at a time; a time with a blank in it is put in "
                 "quotes",
                 argv[optind + 1], argv[optind + 2]);
    } else {
        flags->report.name = argv[optind + 1];
        return true;
    }
    return false;
}

static bool read_command(int argc, char **argv, struct flags *flags, char *why) {
    if (optind == argc) {
        snprintf(why, FLAGS_WHY_MAX, "say which windows: 10ms, 1s or 1min (see --help)");
        return false;
    }
    const bool found = find_command(argv[optind], flags, why);
    if (found && flags->command == COMMAND_REPORT)
        return read_report_name(argc, argv, flags, why);
    const bool is_slip = !found && strstr(why, "did you mean") != NULL;
    if (optind + 1 < argc && !is_slip) {
        snprintf(why, FLAGS_WHY_MAX,
                 "'%.40s' and '%.40s': one of them at a time; a time with a blank in it is put in "
                 "quotes",
                 argv[optind], argv[optind + 1]);
        return false;
    }
    if (found && flags->command == COMMAND_BACKUP) {
        snprintf(why, FLAGS_WHY_MAX, "backup: comes before all else: aforo backup DIR TO");
        return false;
    }
    if (found && flags->command == COMMAND_LOG) {
        snprintf(why, FLAGS_WHY_MAX, "log: comes before all else: aforo log cat|check DIR");
        return false;
    }
    if (found && (flags->command == COMMAND_REPLAY || flags->command == COMMAND_DIFF)) {
        snprintf(why, FLAGS_WHY_MAX, "%s: comes before all else: aforo %s", argv[optind],
                 flags->command == COMMAND_REPLAY ? "replay DIR" : "diff SOURCE SOURCE");
        return false;
    }
    if (found && flags->command == COMMAND_SERVE) {
        snprintf(why, FLAGS_WHY_MAX, "serve: comes before all else: aforo serve --redis URL");
        return false;
    }
    return found;
}

/* Checks that the flags about a report fit together. */
static bool check_report(const struct given *given, char *why) {
    const struct flags *flags = &given->flags;
    const bool list = flags->command == COMMAND_REPORTS, span = *given->from || *given->to;
    int64_t width_us;
    if (flags->command != COMMAND_REPORT && given->report_only && !list) {
        snprintf(why, FLAGS_WHY_MAX,
                 "--window, --where, --top, --by and --measure ask about a report: aforo report "
                 "NAME");
    } else if (list && (given->report_only || span || flags->local || flags->follow ||
                        flags->query.partial || flags->query.last > 0 || flags->total)) {
        snprintf(why, FLAGS_WHY_MAX, "reports: takes --format and where from alone");
    } else if (!list && flags->format == ROWS_OPENMETRICS && flags->command == COMMAND_REPORT) {
        snprintf(why, FLAGS_WHY_MAX, "report: --format must be text, csv or json");
    } else if (list && flags->format != ROWS_TEXT && flags->format != ROWS_JSON) {
        snprintf(why, FLAGS_WHY_MAX, "reports: --format must be text or json");
    } else if (flags->command == COMMAND_REPORT && flags->total) {
        snprintf(why, FLAGS_WHY_MAX, "report: takes no --total: rows have several figures");
    } else if (flags->report.by && flags->report.top == 0) {
        snprintf(why, FLAGS_WHY_MAX, "--by: goes with --top N, which says how many rows");
    } else if (flags->report.measures > 0 && flags->source == SOURCE_SERVER) {
        snprintf(why, FLAGS_WHY_MAX,
                 "--measure: goes with --redis and --state; a server has its own loaded");
    } else if (flags->report.window &&
               !report_width_read(flags->report.window, strlen(flags->report.window), &width_us)) {
        snprintf(why, FLAGS_WHY_MAX,
                 "--window: '%.40s' is no window; they are 10ms, 1s, 15min, 1h, 1d and the like",
                 flags->report.window);
    } else if (flags->report.name && flags->places > 1) {
        snprintf(why, FLAGS_WHY_MAX,
                 "'%.60s' and '%.60s': figures of several sources cannot be added up; Redis has "
                 "them of all servers: --redis URL",
                 flags->place[0], flags->place[1]);
    } else {
        return true;
    }
    return false;
}

/* Checks that command and flags fit together. */
static bool check_command(const struct given *given, char *why) {
    const struct flags *flags = &given->flags;
    const bool span = *given->from || *given->to;
    unsigned redis = 0;
    for (unsigned i = 0; i < flags->places; i++) {
        redis += flags->kind[i] == SOURCE_REDIS;
        if (flags->command != COMMAND_CHECK && flags->kind[i] != flags->kind[0]) {
            snprintf(why, FLAGS_WHY_MAX, "%s and %s exclude each other",
                     source_flags[flags->kind[0]], source_flags[flags->kind[i]]);
            return false;
        }
    }
    if (flags->command == COMMAND_CHECK && given->rows_only) {
        snprintf(
            why, FLAGS_WHY_MAX,
            "check: takes sources, --from, --to and --local, no flags of rows (see --help-all)");
    } else if (flags->command == COMMAND_CHECK && redis > 1) {
        snprintf(why, FLAGS_WHY_MAX, "check: one --redis at a time");
    } else if (flags->command == COMMAND_TOTAL && given->rows_only) {
        snprintf(
            why, FLAGS_WHY_MAX,
            "total: takes --from, --to, --local and where from, no flags of rows (see --help-all)");
    } else if (flags->command == COMMAND_TOP && (given->rows_only || span || flags->local)) {
        snprintf(why, FLAGS_WHY_MAX,
                 "top: takes where from alone; + and - choose the windows (see --help-all)");
    } else if (flags->command == COMMAND_STATUS && (given->rows_only || span || flags->local)) {
        snprintf(why, FLAGS_WHY_MAX,
                 "status: takes --server and what belongs to it alone (see --help-all)");
    } else if (flags->command == COMMAND_STATUS && flags->places > 0 &&
               flags->source != SOURCE_SERVER) {
        snprintf(why, FLAGS_WHY_MAX, "status: asks servers: --server URL, once for each");
    } else if (flags->command != COMMAND_STATUS && flags->command != COMMAND_CHECK &&
               flags->places > 1) {
        snprintf(why, FLAGS_WHY_MAX, "'%.60s' and '%.60s': one source at a time", flags->place[0],
                 flags->place[1]);
    } else if (flags->total && flags->follow) {
        snprintf(why, FLAGS_WHY_MAX, "--total and --follow exclude each other");
    } else if (flags->total && flags->format != ROWS_TEXT) {
        snprintf(why, FLAGS_WHY_MAX, "--total and --format exclude each other: it is one number");
    } else {
        return true;
    }
    return false;
}

static bool read_time(const char *flag, const char *text, const struct given *given, int64_t *us,
                      char *why) {
    char sentence[TIMES_WHY_MAX];
    if (*text == '\0' || times_read(text, given->now_us, given->flags.local, us, sentence))
        return true;
    snprintf(why, FLAGS_WHY_MAX, "%s: '%.70s': %.150s", flag, text, sentence);
    return false;
}

/* Checks what can only be checked after all words are read. */
static bool check_whole(int argc, char **argv, struct given *given, char *why) {
    struct flags *flags = &given->flags;
    struct query *query = &flags->query;
    if (!read_command(argc, argv, flags, why) || !check_report(given, why) ||
        !check_command(given, why) ||
        !read_time("--from", given->from, given, &query->from_us, why) ||
        !read_time("--to", given->to, given, &query->to_us, why)) {
        return false;
    } else if (*given->from && query->to_us < query->from_us) {
        snprintf(why, FLAGS_WHY_MAX, "--to: is before --from");
    } else if (flags->follow && *given->to) {
        snprintf(why, FLAGS_WHY_MAX, "--follow and --to exclude each other");
    } else if (flags->format == ROWS_OPENMETRICS && (flags->follow || query->partial)) {
        snprintf(why, FLAGS_WHY_MAX,
                 "--format openmetrics: has windows that are final alone; leave out --follow and "
                 "--partial");
    } else if (flags->follow && query->partial) {
        snprintf(why, FLAGS_WHY_MAX, "--follow and --partial exclude each other");
    } else {
        if (query->last == 0 && *given->from == '\0' && *given->to == '\0')
            query->last = QUERY_LAST_DEFAULT;
        return true;
    }
    return false;
}

static void keep_report(const struct given *given, struct report_flags *report) {
    report->window = *given->window ? given->window : NULL;
    report->by = *given->by ? given->by : NULL;
    report->top = given->top;
    report->wheres = given->wheres.n;
    memcpy(report->where, given->wheres.text, sizeof report->where);
    report->measures = given->measures.n;
    memcpy(report->measure, given->measures.text, sizeof report->measure);
}

/* Converts the fields of the list that have another form in struct flags. */
static void keep_given(struct given *given, uint64_t which) {
    struct flags *flags = &given->flags;
    for (size_t i = 0; i < ROWS; i++) {
        given->rows_only |= subjects[i] == THE_ROWS && which >> i & 1;
        given->report_only |= subjects[i] == THE_REPORT && which >> i & 1;
    }
    for (unsigned i = 0; i < given->sources.n; i++) {
        flags->place[i] = given->sources.text[i];
        flags->kind[i] = flags->source = (enum source_kind)given->sources.kind[i];
    }
    flags->places = given->sources.n;
    flags->format = (enum rows_format)given->format;
    keep_report(given, &flags->report);
    flags->token_file = *given->token_file ? given->token_file : NULL;
    flags->ca_file = *given->ca_file ? given->ca_file : NULL;
}

enum options_outcome flags_read(int argc, char **argv, int64_t now_us, struct flags *flags,
                                char why[FLAGS_WHY_MAX]) {
    struct given given = {.flags.query.to_us = QUERY_TO_NONE, .now_us = now_us};
    struct options_said said;
    enum options_outcome outcome = options_parse(&aforo, argc, argv, &given, &said);
    snprintf(why, FLAGS_WHY_MAX, "%s", said.why);
    keep_given(&given, said.given);
    if (outcome == OPTIONS_RUN && !check_whole(argc, argv, &given, why))
        outcome = OPTIONS_WRONG;
    *flags = given.flags;
    return outcome;
}

bool flags_print(enum options_outcome outcome, FILE *out) {
    return options_print(&aforo, outcome, out);
}
