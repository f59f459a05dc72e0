/* Flags and environment -> settings. The list of all flags is options.def; --help and this struct come from it. */
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
typedef bool option_SWITCH;

struct options {
#define OPTION(type, field, flag, argument, default_text, min, max, sentence) option_##type field;
#include "server/options.def"
#undef OPTION
};

enum options_outcome {
    OPTIONS_RUN,  /* *options is filled */
    OPTIONS_DONE, /* --help or --version was printed: exit 0 */
    OPTIONS_WRONG /* one line on stderr named the flag: exit 2 */
};

/* Environment first, then flags, which win. Strings point into argv and the environment. Before the threads start. */
enum options_outcome options_read(int argc, char **argv, struct options *options);

/* "100us" "10ms" "10s" "5m" "1h" "7d" -> microseconds, "0" -> 0; "64MiB" "4KiB" "1GiB" "123" -> bytes. False when it is
 * neither. Pure. */
bool options_duration(const char *text, int64_t *us);
bool options_size(const char *text, int64_t *bytes);

/* "100/s" -> 100, "0" -> 0. Pure. */
bool options_rate(const char *text, int64_t *per_s);

#endif
