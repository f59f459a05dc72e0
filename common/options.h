/* Command lines and environment -> settings, for both programs alike: each has a list of its flags
 * (server/options.def, tools/console/flags.def), and --help, variables, defaults and what is said
 * of a wrong value come from it. Before the threads start. */
#ifndef AFORO_COMMON_OPTIONS_H
#define AFORO_COMMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_WHY_MAX 256
#define OPTIONS_MAX 60      /* rows of one program */
#define OPTIONS_LIST_MAX 64 /* times that a flag of type LIST may be given */

enum option_type {
    OPTION_TEXT,
    OPTION_COUNT,
    OPTION_SIZE,
    OPTION_DURATION,
    OPTION_RATE,
    OPTION_CHOICE,
    OPTION_SWITCH,
    OPTION_LIST,
    OPTION_HEADING
};

/* What a row's field is, by its type. */
typedef const char *option_TEXT; /* never NULL, and "" only by default */
typedef int64_t option_COUNT;
typedef int64_t option_SIZE;     /* bytes */
typedef int64_t option_DURATION; /* microseconds */
typedef int64_t option_RATE;     /* a second */
typedef unsigned option_CHOICE;  /* which of the words of `argument`, from 0 on */
typedef bool option_SWITCH;      /* takes no value */
typedef struct option_list {     /* may be given several times, and share its field with others */
    unsigned n;
    const char *text[OPTIONS_LIST_MAX];
    int64_t kind[OPTIONS_LIST_MAX]; /* the row's min: by which flag it was given */
} option_LIST;

struct option_row {
    enum option_type type;
    const char *flag;     /* "max-body" is --max-body */
    const char *variable; /* "max-body" is AFORO_MAX_BODY; "": there is none */
    const char *argument; /* as --help names it; of a CHOICE its words, "event|arrival" */
    const char *default_text;
    int64_t min, max;     /* in the type's unit; of a CHOICE, a SWITCH and a TEXT not looked at */
    const char *sentence; /* of a HEADING all there is; it may have several lines */
    size_t offset;        /* of the field in the settings */
};

struct options_program {
    const char *name; /* "aforod" */
    const struct option_row *row;
    size_t rows;
    const char *usage; /* how --help begins, in whole lines */
    const char *ends;  /* what it says below the flags, in whole lines */
    const char *more;  /* what --help-all says below all of that, in whole lines; may be "" */
    int column;        /* how wide --help makes a flag with its argument */
};

enum options_outcome {
    OPTIONS_RUN,  /* the settings are filled */
    OPTIONS_HELP, /* this and the next three: options_print is asked for */
    OPTIONS_HELP_ALL,
    OPTIONS_VERSION,
    OPTIONS_LISTS, /* the same: all that help is made of, for tools/manual (--help-lists) */
    OPTIONS_WRONG  /* `why` names the flag or the variable, and what is wrong with it */
};

/* What there is to say of a command line, beside its settings. */
struct options_said {
    uint64_t given; /* bit i: the flag of row i was there, or its variable */
    /* variables AFORO_... that Kubernetes has set for a service of our name, and that set nothing
     */
    size_t passed_over;
    char why[OPTIONS_WHY_MAX];
};

/* Defaults first, then the environment, then flags, which win; --help and --version answer whatever
 * else there is before a flag that is not known. Variables that are set to nothing are passed over;
 * those of a LIST are left to the program. optind is then the first word that is no flag. Strings
 * point into argv and the environment. */
enum options_outcome options_parse(const struct options_program *program, int argc, char **argv,
                                   void *settings, struct options_said *said);

/* Prints what OPTIONS_HELP, OPTIONS_HELP_ALL, OPTIONS_VERSION or OPTIONS_LISTS asks for, and
 * flushes; false, errno set, when that fails. Help is a screen; what it has no room to explain is
 * named, and explained by
 * --help-all. */
bool options_print(const struct options_program *program, enum options_outcome outcome, FILE *out);

/* The value of variable AFORO_... (named as a row names it); NULL when it is not set, or to
 * nothing.
 */
const char *options_variable(const char *variable);

/* Says in `why` (cap) that `word`, which `name` was given, is none of words[0..n), and which one it
 * is probably a slip of. */
void options_explain_choice(const char *name, const char *word, const char *const *words, size_t n,
                            char why[OPTIONS_WHY_MAX]);

#endif
