/* Turns the command line and the environment into settings, in the same way for both programs. Each
 * has a list of its flags (server/options.def, tools/console/flags.def), from which --help, the
 * variables, the defaults and the messages about wrong values are made. To be called before the
 * threads start. */
#ifndef AFORO_COMMON_OPTIONS_H
#define AFORO_COMMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_WHY_MAX 256
#define OPTIONS_MAX 60      /* rows of one program */
#define OPTIONS_LIST_MAX 64 /* how often a flag of type LIST may be given */

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

/* The type of the settings' field for each type of row. */
typedef const char *option_TEXT; /* never NULL, and "" only by default */
typedef int64_t option_COUNT;
typedef int64_t option_SIZE;     /* bytes */
typedef int64_t option_DURATION; /* microseconds */
typedef int64_t option_RATE;     /* per second */
typedef unsigned option_CHOICE;  /* index into the words of `argument`, from 0 */
typedef bool option_SWITCH;      /* takes no value */
typedef struct option_list {     /* may be given several times; flags may share one field */
    unsigned n;
    const char *text[OPTIONS_LIST_MAX];
    int64_t kind[OPTIONS_LIST_MAX]; /* the row's min: tells which flag it was given by */
} option_LIST;

struct option_row {
    enum option_type type;
    const char *flag;     /* "max-body" is --max-body */
    const char *variable; /* "max-body" is AFORO_MAX_BODY; "": no variable */
    const char *argument; /* as shown by --help; for a CHOICE its words, "event|arrival" */
    const char *default_text;
    int64_t min, max;     /* in the type's unit; ignored for CHOICE, SWITCH and TEXT */
    const char *sentence; /* all that a HEADING has; may have several lines */
    size_t offset;        /* of the field in the settings */
};

struct options_program {
    const char *name; /* "aforod" */
    const struct option_row *row;
    size_t rows;
    const char *usage; /* the first lines of --help */
    const char *ends;  /* the lines of --help below the flags */
    const char *more;  /* the lines that --help-all adds below these; may be "" */
    int column;        /* width that --help gives to a flag with its argument */
};

enum options_outcome {
    OPTIONS_RUN,  /* the settings are filled */
    OPTIONS_HELP, /* this and the next three: call options_print */
    OPTIONS_HELP_ALL,
    OPTIONS_VERSION,
    OPTIONS_LISTS, /* likewise: --help-lists, the parts of help for tools/manual */
    OPTIONS_WRONG  /* `why` names the flag or the variable, and what is wrong with it */
};

/* What options_parse found out beside the settings. */
struct options_said {
    uint64_t given; /* bit i: row i was given, as a flag or as a variable */
    /* AFORO_... variables that set nothing: Kubernetes made them for a service of our name */
    size_t passed_over;
    char why[OPTIONS_WHY_MAX];
};

/* Fills `settings` from the defaults, then the environment, then the flags; later ones win. --help
 * and --version are obeyed even when other arguments are wrong, unless an unknown flag comes first.
 * Empty variables are ignored; those of a LIST are left to the program. On return optind is at the
 * first word that is no flag. Strings in the settings point into argv and the environment. */
enum options_outcome options_parse(const struct options_program *program, int argc, char **argv,
                                   void *settings, struct options_said *said);

/* Prints what OPTIONS_HELP, OPTIONS_HELP_ALL, OPTIONS_VERSION or OPTIONS_LISTS asks for and flushes
 * `out`. False with errno set on failure. --help fits a screen; flags it has no room to explain are
 * named there and explained by --help-all. */
bool options_print(const struct options_program *program, enum options_outcome outcome, FILE *out);

/* The value of the variable AFORO_... that belongs to `variable` (spelled as in a row); NULL when
 * it is unset or empty. */
const char *options_variable(const char *variable);

/* Writes to `why` that `word`, the value given for `name`, is none of words[0..n), and which of
 * them was probably meant. */
void options_explain_choice(const char *name, const char *word, const char *const *words, size_t n,
                            char why[OPTIONS_WHY_MAX]);

#endif
