/* Flags and environment -> settings. The list of all flags is options.def; --help and this struct
 * come from it. */
#ifndef AFORO_SERVER_OPTIONS_H
#define AFORO_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef const char *option_TEXT;
typedef int64_t option_COUNT;
typedef int64_t option_SIZE;     /* bytes */
typedef int64_t option_DURATION; /* microseconds */
typedef int64_t option_RATE;     /* a second */

struct options {
#define OPTION(type, field, flag, argument, default_text, min, max, sentence) option_##type field;
#include "server/options.def"
#undef OPTION
    /* variables AFORO_... that Kubernetes has set for a service of our name, and that set nothing
     */
    size_t passed_over;
};

enum options_outcome {
    OPTIONS_RUN,  /* *options is filled */
    OPTIONS_DONE, /* --help or --version was printed: exit 0 */
    OPTIONS_WRONG /* one line on stderr named the flag: exit 2 */
};

/* Environment first, then flags, which win; --help and --version answer whatever else there is.
 * Strings point into argv and the environment. Before the threads start. */
enum options_outcome options_read(int argc, char **argv, struct options *options);

#endif
