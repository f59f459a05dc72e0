#define _GNU_SOURCE /* environ */
#include "common/options.h"

#include "common/usage.h"
#include "common/version.h"
#include "counters/time/units.h"

#include <assert.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(OPTIONS_WHY_MAX >= USAGE_WHY_MAX, "room for the sentences of both");

#define HELP_LINES 23 /* a screen, less the next prompt */
#define HELP_COLUMNS 80
#define REST "More: " /* precedes the flags that --help only names */
#define WORDS_MAX 8   /* of a CHOICE */
#define WORDS_BYTES 64
#define NAME_BYTES 64
#define FLAG_FIRST 256 /* getopt's values for rows; letters are smaller */

/* ---- one value ---- */

static const char *describe_type(enum option_type type) {
    switch (type) {
    case OPTION_DURATION:
        return "a duration such as 100ms, 10s, 5m, 1h, 7d";
    case OPTION_SIZE:
        return "a size such as 65536, 64k, 64KiB, 64M, 64MiB, 64MB";
    case OPTION_RATE:
        return "a rate such as 100/s";
    default:
        return "a whole number";
    }
}

static bool read_number(enum option_type type, const char *text, int64_t *number) {
    switch (type) {
    case OPTION_DURATION:
        return units_duration(text, number);
    case OPTION_SIZE:
        return units_size(text, number);
    case OPTION_RATE:
        return units_rate(text, number);
    default:
        return units_none(text, number);
    }
}

/* A bound as a person would write it. */
static const char *write_bound(enum option_type type, int64_t number, char *buf, size_t cap) {
    switch (type) {
    case OPTION_DURATION:
        return units_say_duration(number, buf, cap);
    case OPTION_SIZE:
        return units_say_size(number, buf, cap);
    default:
        snprintf(buf, cap, "%lld%s", (long long)number, type == OPTION_RATE && number ? "/s" : "");
        return buf;
    }
}

/* `name` is what the user typed: --max-body or AFORO_MAX_BODY. */
static bool set_number(const struct option_row *row, const char *name, const char *text,
                       int64_t *field, char *why) {
    int64_t number;
    if (!read_number(row->type, text, &number)) {
        snprintf(why, OPTIONS_WHY_MAX, "%s: '%.80s' is not %s", name, text,
                 describe_type(row->type));
        return false;
    }
    if (number < row->min || number > row->max) {
        char min[UNITS_SAY_MAX], max[UNITS_SAY_MAX];
        snprintf(why, OPTIONS_WHY_MAX, "%s: %.80s is out of range (%s to %s)", name, text,
                 write_bound(row->type, row->min, min, sizeof min),
                 write_bound(row->type, row->max, max, sizeof max));
        return false;
    }
    *field = number;
    return true;
}

/* Splits "event|arrival" into words, in buf; returns how many. */
static size_t split_words(const char *argument, char buf[WORDS_BYTES], const char **words) {
    size_t n = 0;
    const size_t len = strlen(argument);
    assert(len < WORDS_BYTES);
    memcpy(buf, argument, len + 1);
    for (char *next = buf, *word; (word = strsep(&next, "|")) != NULL;) {
        assert(n < WORDS_MAX);
        words[n++] = word;
    }
    return n;
}

void options_explain_choice(const char *name, const char *word, const char *const *words, size_t n,
                            char why[OPTIONS_WHY_MAX]) {
    const bool two = n == 2;
    const char *nearest = usage_nearest(word, words, n);
    size_t used = (size_t)snprintf(why, OPTIONS_WHY_MAX, "%s%s'%.40s' is %s ", name,
                                   *name ? ": " : "", word, two ? "neither" : "none of");
    for (size_t i = 0; i < n && used < OPTIONS_WHY_MAX; i++) {
        used += (size_t)snprintf(why + used, OPTIONS_WHY_MAX - used, "%s%s",
                                 i == 0 ? ""
                                 : two  ? " nor "
                                        : ", ",
                                 words[i]);
    }
    if (nearest && used < OPTIONS_WHY_MAX) {
        snprintf(why + used, OPTIONS_WHY_MAX - used, "; did you mean %s?", nearest);
    }
}

static bool set_choice(const struct option_row *row, const char *name, const char *text,
                       option_CHOICE *field, char *why) {
    char buf[WORDS_BYTES];
    const char *words[WORDS_MAX];
    const size_t n = split_words(row->argument, buf, words);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(words[i], text) == 0) {
            *field = (option_CHOICE)i;
            return true;
        }
    }
    options_explain_choice(name, text, words, n, why);
    return false;
}

static bool add_to_list(const struct option_row *row, const char *name, const char *text,
                        option_LIST *list, char *why) {
    if (list->n == OPTIONS_LIST_MAX) {
        snprintf(why, OPTIONS_WHY_MAX, "%s: %d of them at the most", name, OPTIONS_LIST_MAX);
        return false;
    }
    list->kind[list->n] = row->min;
    list->text[list->n++] = text;
    return true;
}

static bool set_value(const struct option_row *row, const char *name, const char *text,
                      void *settings, char *why) {
    void *field = (char *)settings + row->offset;
    const bool is_text = row->type == OPTION_TEXT || row->type == OPTION_LIST;
    if (is_text && *text == '\0') {
        snprintf(why, OPTIONS_WHY_MAX, "%s: is empty: say which %s, or leave it out", name,
                 row->argument);
        return false;
    }
    switch (row->type) {
    case OPTION_TEXT:
        *(option_TEXT *)field = text;
        return true;
    case OPTION_CHOICE:
        return set_choice(row, name, text, field, why);
    case OPTION_SWITCH:
        *(option_SWITCH *)field = true;
        return true;
    case OPTION_LIST:
        return add_to_list(row, name, text, field, why);
    default:
        return set_number(row, name, text, field, why);
    }
}

/* ---- all of them ---- */

static void set_defaults(const struct options_program *program, void *settings) {
    for (size_t i = 0; i < program->rows; i++) {
        const struct option_row *row = &program->row[i];
        char why[OPTIONS_WHY_MAX];
        if (row->type == OPTION_TEXT) {
            *(option_TEXT *)(void *)((char *)settings + row->offset) = row->default_text;
        } else if (*row->default_text) {
            const bool set = set_value(row, row->flag, row->default_text, settings, why);
            assert(set);
            (void)set;
        }
    }
}

const char *options_variable(const char *variable) {
    char name[USAGE_VARIABLE_MAX];
    usage_variable_name(variable, name);
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

/* One reading of a command line. */
struct reading {
    const struct options_program *program;
    void *settings;
    struct options_said *said;
    struct option table[OPTIONS_MAX + 5]; /* for getopt: four common flags, and the end */
};

static void make_table(struct reading *reading) {
    const struct options_program *program = reading->program;
    size_t n = 0;
    assert(program->rows <= OPTIONS_MAX);
    reading->table[n++] = (struct option){"help", no_argument, NULL, 'h'};
    reading->table[n++] = (struct option){"help-all", no_argument, NULL, 'H'};
    reading->table[n++] = (struct option){"version", no_argument, NULL, 'V'};
    reading->table[n++] = (struct option){"help-lists", no_argument, NULL, 'L'};
    for (size_t i = 0; i < program->rows; i++) {
        const struct option_row *row = &program->row[i];
        if (row->type != OPTION_HEADING) {
            const int has_value = row->type == OPTION_SWITCH ? no_argument : required_argument;
            reading->table[n++] =
                (struct option){row->flag, has_value, NULL, (int)(FLAG_FIRST + i)};
        }
    }
    reading->table[n] = (struct option){0};
}

static bool read_environment(const struct reading *reading) {
    const struct options_program *program = reading->program;
    struct options_said *said = reading->said;
    if (!usage_environment(environ, &said->passed_over, said->why)) {
        return false;
    }
    for (size_t i = 0; i < program->rows; i++) {
        const struct option_row *row = &program->row[i];
        if (row->type == OPTION_HEADING || row->type == OPTION_LIST || !*row->variable) {
            continue;
        }
        const char *text = options_variable(row->variable);
        char name[USAGE_VARIABLE_MAX];
        usage_variable_name(row->variable, name);
        if (text && !set_value(row, name, text, reading->settings, said->why)) {
            return false;
        }
        said->given |= (uint64_t)(text != NULL) << i;
    }
    return true;
}

static bool read_flags(const struct reading *reading, int argc, char **argv) {
    struct options_said *said = reading->said;
    optind = 0; /* glibc: start over */
    for (int c; (c = getopt_long(argc, argv, ":h", reading->table, NULL)) != -1;) {
        if (c == '?' || c == ':') {
            usage_flag(c, argv, reading->table, said->why);
            return false;
        }
        const int i = c - FLAG_FIRST;
        const struct option_row *row = &reading->program->row[i];
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "--%s", row->flag);
        if (!set_value(row, name, optarg, reading->settings, said->why)) {
            return false;
        }
        said->given |= UINT64_C(1) << i;
    }
    return true;
}

/* A message about a wrong variable refers to --help, which must then work: looks for flags like it.
 * OPTIONS_RUN when there is none. */
static enum options_outcome find_question(const struct reading *reading, int argc, char **argv) {
    optind = 0; /* glibc: start over, even when called a second time */
    for (int c; (c = getopt_long(argc, argv, ":h", reading->table, NULL)) != -1;) {
        switch (c) {
        case 'h':
            return OPTIONS_HELP;
        case 'H':
            return OPTIONS_HELP_ALL;
        case 'V':
            return OPTIONS_VERSION;
        case 'L':
            return OPTIONS_LISTS;
        case '?':
        case ':':
            return OPTIONS_RUN;
        default:
            break;
        }
    }
    return OPTIONS_RUN;
}

enum options_outcome options_parse(const struct options_program *program, int argc, char **argv,
                                   void *settings, struct options_said *said) {
    struct reading reading = {.program = program, .settings = settings, .said = said};
    *said = (struct options_said){0};
    make_table(&reading);
    set_defaults(program, settings);
    opterr = 0;
    const enum options_outcome asked = find_question(&reading, argc, argv);
    if (asked != OPTIONS_RUN) {
        return asked;
    }
    return read_environment(&reading) && read_flags(&reading, argc, argv) ? OPTIONS_RUN
                                                                          : OPTIONS_WRONG;
}

/* ---- help ---- */

static size_t count_lines(const char *text) {
    size_t lines = 0;
    for (; *text; text++) {
        lines += *text == '\n';
    }
    return lines;
}

static size_t lines_of_row(const struct option_row *row) {
    return 1 + count_lines(row->sentence);
}

/* "--max-body SIZE" */
static int write_flag(const struct option_row *row, char *buf, size_t cap) {
    return snprintf(buf, cap, "--%s%s%s", row->flag, *row->argument ? " " : "", row->argument);
}

static void explain(const struct options_program *program, size_t first, size_t end, FILE *out) {
    for (size_t i = first; i < end; i++) {
        const struct option_row *row = &program->row[i];
        const char *sentence = row->sentence, *rest;
        if (row->type == OPTION_HEADING) {
            fprintf(out, "%s\n", sentence);
            continue;
        }
        char flag[HELP_COLUMNS];
        write_flag(row, flag, sizeof flag);
        fprintf(out, "  %-*s ", program->column, flag);
        for (; (rest = strchr(sentence, '\n')) != NULL; sentence = rest + 1) {
            fprintf(out, "%.*s\n  %-*s ", (int)(rest - sentence), sentence, program->column, "");
        }
        fprintf(out, "%s%s%s%s\n", sentence, *row->default_text ? " [" : "", row->default_text,
                *row->default_text ? "]" : "");
    }
}

/* Lists the flags from row `first` on, several a line; returns how many lines that takes. With out
 * NULL, only counts them. */
static size_t name_rest(const struct options_program *program, size_t first, FILE *out) {
    size_t lines = 0, column = HELP_COLUMNS;
    for (size_t i = first; i < program->rows; i++) {
        const struct option_row *row = &program->row[i];
        if (row->type == OPTION_HEADING) {
            continue;
        }
        char flag[HELP_COLUMNS], text[2 * HELP_COLUMNS];
        write_flag(row, flag, sizeof flag);
        const size_t len =
            (size_t)snprintf(text, sizeof text, "%s%s%s%s", flag, *row->default_text ? " [" : "",
                             row->default_text, *row->default_text ? "]" : "");
        const bool wraps = column + 2 + len > HELP_COLUMNS;
        if (wraps) {
            column = sizeof REST - 1;
            lines++;
        }
        if (out) {
            fprintf(out, "%s%s", !wraps ? "  " : lines == 1 ? REST : "\n      ", text);
        }
        column += len + (wraps ? 0 : 2);
    }
    if (out && lines) {
        fputc('\n', out);
    }
    return lines;
}

/* How many rows there is room to explain on a screen. */
static size_t rows_explained(const struct options_program *program) {
    size_t explained = program->rows,
           lines = count_lines(program->usage) + count_lines(program->ends);
    for (size_t i = 0; i < program->rows; i++) {
        lines += lines_of_row(&program->row[i]);
    }
    while (explained && lines + name_rest(program, explained, NULL) > HELP_LINES) {
        lines -= lines_of_row(&program->row[--explained]);
    }
    /* a heading needs something below it */
    while (explained && explained < program->rows &&
           program->row[explained - 1].type == OPTION_HEADING) {
        explained--;
    }
    return explained;
}

/* With `all`, the flags in one list; or, when there is more than that, what --help prints, so that
 * readers who know it can skip it, and then the rest. */
static void print_help(const struct options_program *program, bool all, FILE *out) {
    const bool in_one = all && !*program->more;
    const size_t explained = in_one ? program->rows : rows_explained(program);
    fputs(program->usage, out);
    explain(program, 0, explained, out);
    name_rest(program, explained, out);
    fputs(program->ends, out);
    if (all && !in_one) {
        fputc('\n', out);
        explain(program, explained, program->rows, out);
        fputs(program->more, out);
    }
}

/* Prints each line of a text after a letter and a tab. */
static void print_lines(char letter, const char *text, FILE *out) {
    while (*text) {
        const int len = (int)strcspn(text, "\n");
        fprintf(out, "%c\t%.*s\n", letter, len, text);
        text += len + (text[len] == '\n');
    }
}

/* Prints a sentence of several lines as one. */
static void print_joined(const char *sentence, FILE *out) {
    for (; *sentence; sentence++) {
        fputc(*sentence == '\n' ? ' ' : *sentence, out);
    }
    fputc('\n', out);
}

/* Input of tools/manual, which makes manual pages and completions. */
static void print_lists(const struct options_program *program, FILE *out) {
    print_lines('U', program->usage, out);
    for (size_t i = 0; i < program->rows; i++) {
        const struct option_row *row = &program->row[i];
        char variable[USAGE_VARIABLE_MAX] = "";
        if (row->type == OPTION_HEADING) {
            fputs("H\t", out);
        } else {
            if (*row->variable) {
                usage_variable_name(row->variable, variable);
            }
            fprintf(out, "F\t%s\t%s\t%s\t%s\t", row->flag, row->argument, row->default_text,
                    variable);
        }
        print_joined(row->sentence, out);
    }
    print_lines('M', program->more, out);
}

bool options_print(const struct options_program *program, enum options_outcome outcome, FILE *out) {
    if (outcome == OPTIONS_VERSION) {
        fprintf(out, "%s %s\n", program->name, version_text());
    } else if (outcome == OPTIONS_LISTS) {
        print_lists(program, out);
    } else {
        print_help(program, outcome == OPTIONS_HELP_ALL, out);
    }
    return fflush(out) == 0 && !ferror(out);
}
