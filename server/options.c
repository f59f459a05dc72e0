#define _GNU_SOURCE /* environ */
#include "server/options.h"

#include "common/usage.h"
#include "counters/time/horizon.h"
#include "counters/time/units.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef AFORO_VERSION
#define AFORO_VERSION "unknown"
#endif

#define HELP_LINES 24 /* a screen */
#define HELP_COLUMNS 80
#define HELP_FRAME 3 /* lines of --help that describe no flag */

enum option_type { TEXT, COUNT, SIZE, DURATION, RATE };

struct option_row {
    enum option_type type;
    const char *flag;
    const char *argument;
    const char *default_text;
    int64_t min, max;
    const char *sentence;
    size_t offset;
};

static const struct option_row rows[] = {
#define OPTION(type, field, flag, argument, default_text, min, max, sentence)                      \
    {type, flag, argument, default_text, min, max, sentence, offsetof(struct options, field)},
#include "server/options.def"
#undef OPTION
};
#define ROWS (sizeof rows / sizeof *rows)

static bool take_number(const struct option_row *row, const char *text, int64_t *out) {
    switch (row->type) {
    case DURATION:
        return units_duration(text, out);
    case SIZE:
        return units_size(text, out);
    case RATE:
        return units_rate(text, out);
    default:
        return units_none(text, out);
    }
}

static const char *expected(const struct option_row *row) {
    switch (row->type) {
    case DURATION:
        return "a duration such as 100ms, 10s, 5m, 1h, 7d";
    case SIZE:
        return "a size such as 65536, 64k, 64KiB, 64M, 64MiB, 64MB";
    case RATE:
        return "a rate such as 100/s";
    default:
        return "a whole number";
    }
}

/* A bound as the user would write it. */
static const char *say(const struct option_row *row, int64_t number, char *buf, size_t cap) {
    switch (row->type) {
    case DURATION:
        return units_say_duration(number, buf, cap);
    case SIZE:
        return units_say_size(number, buf, cap);
    default:
        snprintf(buf, cap, "%lld%s", (long long)number, row->type == RATE && number ? "/s" : "");
        return buf;
    }
}

/* `name` is what the user wrote: --max-body or AFORO_MAX_BODY. */
static bool set(struct options *options, const struct option_row *row, const char *name,
                const char *text) {
    void *field = (char *)options + row->offset;
    if (row->type == TEXT) {
        *(const char **)field = text;
        return true;
    }
    int64_t number;
    if (!take_number(row, text, &number)) {
        fprintf(stderr, "aforod: %s: '%s' is not %s\n", name, text, expected(row));
        return false;
    }
    if (number < row->min || number > row->max) {
        char min[UNITS_SAY_MAX], max[UNITS_SAY_MAX];
        fprintf(stderr, "aforod: %s: %s is out of range (%s to %s)\n", name, text,
                say(row, row->min, min, sizeof min), say(row, row->max, max, sizeof max));
        return false;
    }
    *(int64_t *)field = number;
    return true;
}

static void environment_name(const struct option_row *row, char *buf, size_t cap) {
    const int n = snprintf(buf, cap, "AFORO_%s", row->flag);
    for (int i = 0; i < n; i++) {
        buf[i] = buf[i] == '-' ? '_' : (char)toupper((unsigned char)buf[i]);
    }
}

/* "--max-body SIZE [64MiB]" */
static int describe(const struct option_row *row, char *buf, size_t cap) {
    return snprintf(buf, cap, "--%s %s%s%s%s", row->flag, row->argument,
                    *row->default_text ? " [" : "", row->default_text,
                    *row->default_text ? "]" : "");
}

/* The flags from `first` on, several a line; how many lines that takes. Only counts them without
 * `print`. */
static size_t help_rest(size_t first, bool print) {
    size_t lines = 0, column = HELP_COLUMNS;
    for (size_t i = first; i < ROWS; i++) {
        char text[HELP_COLUMNS];
        const size_t len = (size_t)describe(&rows[i], text, sizeof text) + 2;
        const bool wraps = column + len > HELP_COLUMNS;
        if (print) {
            printf("%s  %s", wraps && lines ? "\n" : "", text);
        }
        column = wraps ? len : column + len;
        lines += wraps;
    }
    if (print && lines) {
        putchar('\n');
    }
    return lines;
}

/* All flags explained, or as many as a screen holds and only the names of the others. */
static void print_help(bool all) {
    size_t explained = ROWS;
    while (!all && explained && HELP_FRAME + explained + help_rest(explained, false) > HELP_LINES) {
        explained--;
    }
    printf("Usage: aforod [flags]\nCounts HTTP events in 10 ms, 1 s and 1 min windows.\n");
    for (size_t i = 0; i < explained; i++) {
        char left[48];
        snprintf(left, sizeof left, "--%s %s", rows[i].flag, rows[i].argument);
        printf("  %-24s %s%s%s%s\n", left, rows[i].sentence, *rows[i].default_text ? " [" : "",
               rows[i].default_text, *rows[i].default_text ? "]" : "");
    }
    help_rest(explained, true);
    printf("%sIn the environment --max-body is AFORO_MAX_BODY.\n",
           all ? "" : "All explained: --help-all. ");
}

static bool read_environment(struct options *options) {
    char why[USAGE_WHY_MAX];
    if (!usage_environment(environ, &options->passed_over, why)) {
        fprintf(stderr, "aforod: %s\n", why);
        return false;
    }
    for (size_t i = 0; i < ROWS; i++) {
        char name[64];
        environment_name(&rows[i], name, sizeof name);
        const char *text = getenv(name);
        if (text && *text && !set(options, &rows[i], name, text)) {
            return false;
        }
    }
    return true;
}

/* Whoever is told of a wrong variable to see --help must then be able to. False when neither is
 * asked for. */
static bool print_what_is_asked(int argc, char **argv, const struct option *table) {
    for (int c; (c = getopt_long(argc, argv, ":h", table, NULL)) != -1 && c != '?' && c != ':';) {
        if (c == 'h' || c == 'H') {
            print_help(c == 'H');
            return true;
        }
        if (c == 'V') {
            printf("aforod " AFORO_VERSION "\n");
            return true;
        }
    }
    optind = 0; /* glibc: start anew */
    return false;
}

enum options_outcome options_read(int argc, char **argv, struct options *options) {
    struct option table[ROWS + 4] = {{"help", no_argument, NULL, 'h'},
                                     {"help-all", no_argument, NULL, 'H'},
                                     {"version", no_argument, NULL, 'V'}};
    for (size_t i = 0; i < ROWS; i++) {
        table[i + 3] = (struct option){rows[i].flag, required_argument, NULL, (int)(256 + i)};
        set(options, &rows[i], rows[i].flag, rows[i].default_text);
    }
    opterr = 0;
    if (print_what_is_asked(argc, argv, table)) {
        return OPTIONS_DONE;
    }
    if (!read_environment(options)) {
        return OPTIONS_WRONG;
    }
    for (int c; (c = getopt_long(argc, argv, ":h", table, NULL)) != -1;) {
        char name[64], why[USAGE_WHY_MAX];
        if (c == '?' || c == ':') {
            usage_flag(c, argv, table, why);
            fprintf(stderr, "aforod: %s\n", why);
            return OPTIONS_WRONG;
        }
        snprintf(name, sizeof name, "--%s", rows[c - 256].flag);
        if (!set(options, &rows[c - 256], name, optarg ? optarg : "1")) {
            return OPTIONS_WRONG;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "aforod: %s: unexpected argument; see --help\n", argv[optind]);
        return OPTIONS_WRONG;
    }
    return OPTIONS_RUN;
}
