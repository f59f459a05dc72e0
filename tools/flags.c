/* See flags.h. */
#include "tools/flags.h"

#include "counters/units.h"
#include "server/timestamp.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LAST_MAX INT64_C(1000000000)
#define HORIZON_DEFAULT_US (INT64_C(3600) * US_PER_S)
#define TIMEOUT_DEFAULT_US (INT64_C(2) * US_PER_S)
#define TIMEOUT_MIN_US US_PER_MS
#define TIMEOUT_MAX_US (INT64_C(3600) * US_PER_S)
#define HORIZON_MAX_US (INT64_C(24) * 3600 * US_PER_S)

const char flags_help[] = "Usage: aforo 10ms|1s|1min [flags], or aforo backup DIR TO: a copy of a state\n"
                          "Prints counted events, one window a line: 2016-05-28 11:11:11.120, 122 (UTC).\n"
                          "Rows run from the first to the last window with events in the asked span.\n"
                          "\n"
                          "Which windows\n"
                          "  --last N          N windows, ending with the newest that holds events\n"
                          "                    (default 60; with --from or --to: no limit)\n"
                          "  --from T          windows that start at T or later\n"
                          "  --to T            windows that start before T\n"
                          "                    T: 2016-05-28 11:11:11.12, 2016-05-28T11:11:11Z or Unix time\n"
                          "  --partial         windows that are not over yet too\n"
                          "  --follow          go on and print each window as it closes; Ctrl-C ends\n"
                          "How\n"
                          "  --format F        text, csv or json (default text)\n"
                          "From where (default: $AFORO_REDIS, else $AFORO_SERVER or the server at\n"
                          "http://127.0.0.1:8080, else the state in $AFORO_STATE or ./aforo-state)\n"
                          "  --redis URL       Redis, e.g. redis://127.0.0.1:6379\n"
                          "  --server URL      a running aforod; https:// may need --ca-file PATH\n"
                          "  --token-file PATH its token; else $AFORO_READ_TOKEN_FILE or $AFORO_READ_TOKEN\n"
                          "  --state DIR       the state directory of an aforod on this machine\n"
                          "  --timeout DUR     how long to wait for the source (default 2s)\n"
                          "  --horizon DUR     the horizon of the nodes that fill Redis (default 1h)\n"
                          "  --help, --version\n";

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
    FLAG_VERSION
};

static const struct option long_flags[] = {
    {"last", required_argument, NULL, FLAG_LAST},       {"from", required_argument, NULL, FLAG_FROM},
    {"to", required_argument, NULL, FLAG_TO},           {"format", required_argument, NULL, FLAG_FORMAT},
    {"timeout", required_argument, NULL, FLAG_TIMEOUT}, {"horizon", required_argument, NULL, FLAG_HORIZON},
    {"partial", no_argument, NULL, FLAG_PARTIAL},       {"follow", no_argument, NULL, FLAG_FOLLOW},
    {"redis", required_argument, NULL, FLAG_REDIS},     {"server", required_argument, NULL, FLAG_SERVER},
    {"state", required_argument, NULL, FLAG_STATE},     {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, FLAG_VERSION},       {"token-file", required_argument, NULL, FLAG_TOKEN_FILE},
    {"ca-file", required_argument, NULL, FLAG_CA_FILE}, {NULL, 0, NULL, 0}};

static bool read_last(const char *text, int64_t *last, char *why) {
    if (units_none(text, last) && *last >= 1 && *last <= LAST_MAX)
        return true;
    snprintf(why, FLAGS_WHY_MAX, "--last: '%.40s' is not a number of windows (1..%" PRId64 ")", text,
             LAST_MAX);
    return false;
}

static bool read_time(const char *flag, const char *text, int64_t *us, char *why) {
    struct timestamp_error error;
    if (timestamp_parse(text, strlen(text), us, &error))
        return true;
    char sentence[128];
    timestamp_explain(&error, sentence, sizeof sentence);
    snprintf(why, FLAGS_WHY_MAX, "%s: '%.70s': %s", flag, text, sentence);
    return false;
}

static bool read_span(const char *flag, const char *text, int64_t min_us, int64_t max_us, const char *range,
                      int64_t *us, char *why) {
    if (units_duration(text, us) && *us >= min_us && *us <= max_us)
        return true;
    snprintf(why, FLAGS_WHY_MAX, "%s: '%.40s' is not a duration of %s (100ms, 10s, 5m, 1h)", flag, text,
             range);
    return false;
}

static bool choose_source(struct flags *flags, enum source_kind kind, char *why) {
    static const char *const names[] = {
        [SOURCE_REDIS] = "--redis", [SOURCE_SERVER] = "--server", [SOURCE_STATE] = "--state"};
    if (flags->source != SOURCE_BY_DEFAULT && flags->source != kind) {
        snprintf(why, FLAGS_WHY_MAX, "%s and %s exclude each other", names[flags->source], names[kind]);
        return false;
    }
    if (optarg[0] == '\0') {
        snprintf(why, FLAGS_WHY_MAX, "%s: is empty", names[kind]);
        return false;
    }
    flags->source = kind;
    flags->place = optarg;
    return true;
}

static bool take_path(const char *flag, const char **path, char *why) {
    *path = optarg;
    if (optarg[0] == '\0')
        snprintf(why, FLAGS_WHY_MAX, "%s: is empty", flag);
    return optarg[0] != '\0';
}

static bool read_flag(int flag, struct flags *flags, char *why) {
    switch (flag) {
    case FLAG_LAST:
        return read_last(optarg, &flags->query.last, why);
    case FLAG_FROM:
        return read_time("--from", optarg, &flags->query.from_us, why);
    case FLAG_TO:
        return read_time("--to", optarg, &flags->query.to_us, why);
    case FLAG_FORMAT:
        if (rows_format_by_name(optarg, &flags->format))
            return true;
        snprintf(why, FLAGS_WHY_MAX, "--format: '%.40s' is none of text, csv, json", optarg);
        return false;
    case FLAG_TIMEOUT:
        return read_span("--timeout", optarg, TIMEOUT_MIN_US, TIMEOUT_MAX_US, "1ms to 1h", &flags->timeout_us,
                         why);
    case FLAG_HORIZON:
        return read_span("--horizon", optarg, US_PER_S, HORIZON_MAX_US, "1s to 24h", &flags->horizon_us, why);
    case FLAG_PARTIAL:
        flags->query.partial = true;
        return true;
    case FLAG_FOLLOW:
        flags->follow = true;
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

/* What only shows when all words are read. */
static bool check_whole(int argc, char **argv, struct flags *flags, bool from_given, char *why) {
    if (optind == argc) {
        snprintf(why, FLAGS_WHY_MAX, "say which windows: 10ms, 1s or 1min (see --help)");
    } else if (!resolution_by_name(argv[optind], &flags->query.resolution)) {
        snprintf(why, FLAGS_WHY_MAX, "'%.40s' is none of 10ms, 1s, 1min", argv[optind]);
    } else if (optind + 1 < argc) {
        snprintf(why, FLAGS_WHY_MAX, "'%.40s': one kind of window at a time", argv[optind + 1]);
    } else if (from_given && flags->query.to_us < flags->query.from_us) {
        snprintf(why, FLAGS_WHY_MAX, "--to: is before --from");
    } else if (flags->follow && flags->query.to_us != QUERY_TO_NONE) {
        snprintf(why, FLAGS_WHY_MAX, "--follow and --to exclude each other");
    } else if (flags->follow && flags->query.partial) {
        snprintf(why, FLAGS_WHY_MAX, "--follow and --partial exclude each other");
    } else {
        if (flags->query.last == 0 && !from_given && flags->query.to_us == QUERY_TO_NONE)
            flags->query.last = QUERY_LAST_DEFAULT;
        return true;
    }
    return false;
}

enum flags_verdict flags_read(int argc, char **argv, struct flags *flags, char why[FLAGS_WHY_MAX]) {
    *flags = (struct flags){.query = {.to_us = QUERY_TO_NONE},
                            .horizon_us = HORIZON_DEFAULT_US,
                            .timeout_us = TIMEOUT_DEFAULT_US};
    bool from_given = false;
    opterr = 0;
    optind = 0; /* glibc: start anew, also when called a second time */
    for (;;) {
        const int flag = getopt_long(argc, argv, ":h", long_flags, NULL);
        if (flag == -1)
            break;
        if (flag == 'h')
            return FLAGS_HELP;
        if (flag == FLAG_VERSION)
            return FLAGS_VERSION;
        if (flag == '?' || flag == ':') {
            snprintf(why, FLAGS_WHY_MAX,
                     flag == ':' ? "%.60s: needs a value" : "%.60s: no such flag, or not one with a value",
                     argv[optind - 1]);
            return FLAGS_WRONG;
        }
        from_given |= flag == FLAG_FROM;
        if (!read_flag(flag, flags, why))
            return FLAGS_WRONG;
    }
    return check_whole(argc, argv, flags, from_given, why) ? FLAGS_RUN : FLAGS_WRONG;
}
