/* See flags.h. */
#include "tools/console/flags.h"

#include "common/usage.h"
#include "counters/time/horizon.h"
#include "counters/time/units.h"
#include "tools/console/times.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

_Static_assert(FLAGS_WHY_MAX >= USAGE_WHY_MAX, "room for the sentences of both");

#define LAST_MAX INT64_C(1000000000)
#define TIMEOUT_DEFAULT_US (INT64_C(2) * US_PER_S)
#define TIMEOUT_MIN_US US_PER_MS
#define TIMEOUT_MAX_US (INT64_C(3600) * US_PER_S)

const char flags_help[] =
    "Usage: aforo 10ms|1s|1min [flags]   counted events, one window a line (UTC):\n"
    "                                    2016-05-28 11:11:11.120, 122\n"
    "       aforo total [flags]          how many there were, as one number\n"
    "       aforo status|check [flags]   how servers are; whether the counts hold\n"
    "       aforo backup DIR TO          a copy of a state that a server counts in\n"
    "Which windows\n"
    "  --last N          N windows, ending with the newest that holds events\n"
    "                    (default 60; with --from or --to: from the first event)\n"
    "  --from T, --to T  windows that start at T or later, or before T: -1h, today,\n"
    "                    2016-05-28, \"2016-05-28 11:11\", 2016-05-28T11:11:11.12Z\n"
    "  --partial         windows that are not over yet too\n"
    "  --follow          go on and print each window as it closes; Ctrl-C ends\n"
    "How\n"
    "  --format F        text, csv or json (default text)\n"
    "  --total           the sum of the rows instead of the rows\n"
    "  --local           times in this machine's zone, given and shown\n"
    "From where (default: $AFORO_REDIS, else $AFORO_SERVER or the server at\n"
    "http://127.0.0.1:8080, else the state in $AFORO_STATE or ./aforo-state)\n"
    "  --redis URL       Redis, e.g. redis://127.0.0.1:6379\n"
    "  --server URL      a running aforod, e.g. http://127.0.0.1:8080\n"
    "  --state DIR       the state directory of an aforod on this machine\n"
    "  --help, --version\n"
    "  --help-all        the other flags, more on these, and examples\n";

const char flags_help_all[] =
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
    "  a late event may still change it), final.\n"
    "\n"
    "aforo total\n"
    "  Every event in [--from, --to), also of windows that are not over, whichever windows\n"
    "  the bounds cut; bounds between two 10 ms windows are taken to the later one. Without\n"
    "  bounds: all that the source keeps.\n"
    "\n"
    "aforo status\n"
    "  One line for each --server URL (up to 64): what its /healthz and /stats say. The\n"
    "  exit status is 1 when one of them does not answer or its store is not connected.\n"
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
    "Connections\n"
    "  --timeout DUR     how long to wait for the source to answer (default 2s); a long\n"
    "                    answer of a server may take 30 times as long, as a whole\n"
    "  --horizon DUR     the horizon of the nodes that fill Redis (default 1h)\n"
    "  --token-file PATH what a server wants of readers; else the file that\n"
    "                    $AFORO_READ_TOKEN_FILE names, or $AFORO_READ_TOKEN\n"
    "  --ca-file PATH    who may sign the certificate of an https:// server (PEM)\n"
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
    "  aforo total --from \"2016-05-28 11:00\" --to \"2016-05-28 12:00\"\n"
    "  aforo status --server http://a:8080 --server http://b:8080\n"
    "  aforo check --server http://a:8080 --server http://b:8080 --redis redis://r\n"
    "\n"
    "Exit status: 0 done, 1 the source or standard output failed, 2 wrong usage.\n";

enum {
    FLAG_LAST = 256,
    FLAG_FROM,
    FLAG_TO,
    FLAG_FORMAT,
    FLAG_TIMEOUT,
    FLAG_HORIZON,
    FLAG_PARTIAL,
    FLAG_FOLLOW,
    FLAG_REDIS,
    FLAG_SERVER,
    FLAG_STATE,
    FLAG_TOKEN_FILE,
    FLAG_CA_FILE,
    FLAG_VERSION,
    FLAG_HELP_ALL,
    FLAG_TOTAL,
    FLAG_LOCAL
};

static const struct option long_flags[] = {{"last", required_argument, NULL, FLAG_LAST},
                                           {"from", required_argument, NULL, FLAG_FROM},
                                           {"to", required_argument, NULL, FLAG_TO},
                                           {"format", required_argument, NULL, FLAG_FORMAT},
                                           {"timeout", required_argument, NULL, FLAG_TIMEOUT},
                                           {"horizon", required_argument, NULL, FLAG_HORIZON},
                                           {"partial", no_argument, NULL, FLAG_PARTIAL},
                                           {"follow", no_argument, NULL, FLAG_FOLLOW},
                                           {"redis", required_argument, NULL, FLAG_REDIS},
                                           {"server", required_argument, NULL, FLAG_SERVER},
                                           {"state", required_argument, NULL, FLAG_STATE},
                                           {"help", no_argument, NULL, 'h'},
                                           {"version", no_argument, NULL, FLAG_VERSION},
                                           {"token-file", required_argument, NULL, FLAG_TOKEN_FILE},
                                           {"ca-file", required_argument, NULL, FLAG_CA_FILE},
                                           {"help-all", no_argument, NULL, FLAG_HELP_ALL},
                                           {"total", no_argument, NULL, FLAG_TOTAL},
                                           {"local", no_argument, NULL, FLAG_LOCAL},
                                           {NULL, 0, NULL, 0}};

static bool read_last(const char *text, int64_t *last, char *why) {
    if (units_none(text, last) && *last >= 1 && *last <= LAST_MAX)
        return true;
    snprintf(why, FLAGS_WHY_MAX, "--last: '%.40s' is not a number of windows (1..%" PRId64 ")",
             text, LAST_MAX);
    return false;
}

/* Not before all words are read: --local may come last. */
static bool read_time(const char *flag, const char *text, int64_t now_us, bool local, int64_t *us,
                      char *why) {
    char sentence[TIMES_WHY_MAX];
    if (text == NULL || times_read(text, now_us, local, us, sentence))
        return true;
    snprintf(why, FLAGS_WHY_MAX, "%s: '%.70s': %.150s", flag, text, sentence);
    return false;
}

static bool read_span(const char *flag, const char *text, int64_t min_us, int64_t max_us,
                      const char *range, int64_t *us, char *why) {
    if (units_duration(text, us) && *us >= min_us && *us <= max_us)
        return true;
    snprintf(why, FLAGS_WHY_MAX, "%s: '%.40s' is not a duration of %s (100ms, 10s, 5m, 1h)", flag,
             text, range);
    return false;
}

static const char *const source_flags[] = {
    [SOURCE_REDIS] = "--redis", [SOURCE_SERVER] = "--server", [SOURCE_STATE] = "--state"};

static bool choose_source(struct flags *flags, enum source_kind kind, char *why) {
    const char *const *names = source_flags;
    if (optarg[0] == '\0') {
        snprintf(why, FLAGS_WHY_MAX, "%s: is empty", names[kind]);
        return false;
    }
    if (flags->places == FLAGS_PLACES_MAX) {
        snprintf(why, FLAGS_WHY_MAX, "%s: %d of them at the most", names[kind], FLAGS_PLACES_MAX);
        return false;
    }
    flags->source = kind;
    flags->kind[flags->places] = kind;
    flags->place[flags->places++] = optarg;
    return true;
}

static bool take_path(const char *flag, const char **path, char *why) {
    *path = optarg;
    if (optarg[0] == '\0')
        snprintf(why, FLAGS_WHY_MAX, "%s: is empty", flag);
    return optarg[0] != '\0';
}

/* What was given, as long as it matters that and how it was. */
struct given {
    int64_t now_us;
    const char *from, *to;
    bool rows_only; /* a flag that speaks of rows */
};

static bool read_flag(int flag, struct flags *flags, struct given *given, char *why) {
    given->rows_only |= flag == FLAG_LAST || flag == FLAG_FORMAT || flag == FLAG_PARTIAL ||
                        flag == FLAG_FOLLOW || flag == FLAG_TOTAL;
    switch (flag) {
    case FLAG_LAST:
        return read_last(optarg, &flags->query.last, why);
    case FLAG_FROM:
        given->from = optarg;
        return true;
    case FLAG_TO:
        given->to = optarg;
        return true;
    case FLAG_FORMAT:
        if (rows_format_by_name(optarg, &flags->format))
            return true;
        snprintf(why, FLAGS_WHY_MAX, "--format: '%.40s' is none of text, csv, json", optarg);
        return false;
    case FLAG_TIMEOUT:
        return read_span("--timeout", optarg, TIMEOUT_MIN_US, TIMEOUT_MAX_US, "1ms to 1h",
                         &flags->timeout_us, why);
    case FLAG_HORIZON:
        return read_span("--horizon", optarg, HORIZON_MIN_US, HORIZON_MAX_US, "1s to 24h",
                         &flags->horizon_us, why);
    case FLAG_PARTIAL:
        flags->query.partial = true;
        return true;
    case FLAG_FOLLOW:
        flags->follow = true;
        return true;
    case FLAG_TOTAL:
        flags->total = true;
        return true;
    case FLAG_LOCAL:
        flags->local = true;
        return true;
    case FLAG_REDIS:
        return choose_source(flags, SOURCE_REDIS, why);
    case FLAG_SERVER:
        return choose_source(flags, SOURCE_SERVER, why);
    case FLAG_TOKEN_FILE:
        return take_path("--token-file", &flags->token_file, why);
    case FLAG_CA_FILE:
        return take_path("--ca-file", &flags->ca_file, why);
    default:
        return choose_source(flags, SOURCE_STATE, why);
    }
}

static bool read_command(int argc, char **argv, struct flags *flags, char *why) {
    if (optind == argc) {
        snprintf(why, FLAGS_WHY_MAX, "say which windows: 10ms, 1s or 1min (see --help)");
    } else if (optind + 1 < argc) {
        snprintf(why, FLAGS_WHY_MAX,
                 "'%.40s' and '%.40s': one of them at a time; a time with a blank in it is put in "
                 "quotes",
                 argv[optind], argv[optind + 1]);
    } else if (strcmp(argv[optind], "total") == 0) {
        flags->command = COMMAND_TOTAL;
        return true;
    } else if (strcmp(argv[optind], "status") == 0) {
        flags->command = COMMAND_STATUS;
        return true;
    } else if (strcmp(argv[optind], "check") == 0) {
        flags->command = COMMAND_CHECK;
        return true;
    } else if (resolution_by_name(argv[optind], &flags->query.resolution)) {
        return true;
    } else {
        snprintf(why, FLAGS_WHY_MAX, "'%.40s' is none of 10ms, 1s, 1min, total, status, check",
                 argv[optind]);
    }
    return false;
}

/* What goes together. */
static bool check_command(const struct flags *flags, const struct given *given, char *why) {
    const bool span = given->from != NULL || given->to != NULL;
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

/* What only shows when all words are read. */
static bool check_whole(int argc, char **argv, struct flags *flags, const struct given *given,
                        char *why) {
    struct query *query = &flags->query;
    if (!read_command(argc, argv, flags, why) || !check_command(flags, given, why) ||
        !read_time("--from", given->from, given->now_us, flags->local, &query->from_us, why) ||
        !read_time("--to", given->to, given->now_us, flags->local, &query->to_us, why)) {
        return false;
    } else if (given->from != NULL && query->to_us < query->from_us) {
        snprintf(why, FLAGS_WHY_MAX, "--to: is before --from");
    } else if (flags->follow && given->to != NULL) {
        snprintf(why, FLAGS_WHY_MAX, "--follow and --to exclude each other");
    } else if (flags->follow && query->partial) {
        snprintf(why, FLAGS_WHY_MAX, "--follow and --partial exclude each other");
    } else {
        if (query->last == 0 && given->from == NULL && given->to == NULL)
            query->last = QUERY_LAST_DEFAULT;
        return true;
    }
    return false;
}

enum flags_verdict flags_read(int argc, char **argv, int64_t now_us, struct flags *flags,
                              char why[FLAGS_WHY_MAX]) {
    *flags = (struct flags){.query = {.to_us = QUERY_TO_NONE},
                            .horizon_us = HORIZON_DEFAULT_US,
                            .timeout_us = TIMEOUT_DEFAULT_US};
    struct given given = {.now_us = now_us};
    opterr = 0;
    optind = 0; /* glibc: start anew, also when called a second time */
    for (;;) {
        const int flag = getopt_long(argc, argv, ":h", long_flags, NULL);
        if (flag == -1)
            break;
        if (flag == 'h')
            return FLAGS_HELP;
        if (flag == FLAG_HELP_ALL)
            return FLAGS_HELP_ALL;
        if (flag == FLAG_VERSION)
            return FLAGS_VERSION;
        if (flag == '?' || flag == ':') {
            usage_flag(flag, argv, long_flags, why);
            return FLAGS_WRONG;
        }
        if (!read_flag(flag, flags, &given, why))
            return FLAGS_WRONG;
    }
    return check_whole(argc, argv, flags, &given, why) ? FLAGS_RUN : FLAGS_WRONG;
}
