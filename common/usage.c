/* See usage.h. */
#include "common/usage.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PREFIX "AFORO_"
#define PREFIX_LEN (sizeof PREFIX - 1)
#define WORD_MAX 48 /* letters compared; no known word is longer */
_Static_assert(USAGE_VARIABLE_MAX > PREFIX_LEN + WORD_MAX, "room for any known word");
#define TABLE_MAX 64 /* flags of one program */

/* The variables of both programs, as in their lists, and two that are used with any URL of Redis. A
 * flag of aforo without a variable leaves an empty name, which no variable has. */
static const char *const variables[] = {
#define OPTION(type, field, flag, argument, default_text, min, max, sentence) flag,
#include "server/options.def"
#undef OPTION
#define HEADING(sentence)
#define FLAG(type, field, flag, variable, argument, default_text, min, max, sentence) variable,
#define ROWS_FLAG FLAG
#define REPORT_FLAG FLAG
#define VARIABLE(variable) variable,
#include "tools/console/flags.def"
#undef HEADING
#undef FLAG
#undef ROWS_FLAG
#undef REPORT_FLAG
#undef VARIABLE
    "redis-password", "redis-password-file"};
#define VARIABLES (sizeof variables / sizeof *variables)

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static bool same(char a, char b) {
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* The number of letters to insert, delete, replace or swap with a neighbour to turn a into b; only
 * the first WORD_MAX letters of each count. */
static size_t distance(const char *a, const char *b) {
    const size_t a_len = strnlen(a, WORD_MAX), b_len = strnlen(b, WORD_MAX);
    /* for a's first i letters, i - 1 and i - 2; rotated with each letter */
    size_t row[3][WORD_MAX + 1];
    for (size_t j = 0; j <= b_len; j++) {
        row[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *now = row[i % 3], *before = row[(i - 1) % 3], *earlier = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            now[j] =
                least(before[j - 1] + !same(a[i - 1], b[j - 1]), least(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1])) {
                now[j] = least(now[j], earlier[j - 2] + 1);
            }
        }
    }
    return row[a_len % 3][b_len];
}

const char *usage_nearest(const char *word, const char *const *words, size_t n) {
    const size_t len = strlen(word);
    const char *nearest = NULL;
    size_t fewest = len > 1 ? 2 + len / 4 : 0; /* a smaller distance is near */
    for (size_t i = 0; i < n; i++) {
        const size_t slips = strncasecmp(word, words[i], len) == 0 ? 0 : distance(word, words[i]);
        if (slips < fewest) {
            fewest = slips;
            nearest = words[i];
        }
        if (fewest == 0) {
            break;
        }
    }
    return nearest;
}

void usage_flag(int answer, char *const *argv, const struct option *table, char *why) {
    const char *word = argv[optind - 1];
    if (answer == ':') {
        snprintf(why, USAGE_WHY_MAX, "%.80s: needs a value; see --help", word);
        return;
    }
    const char *flags[TABLE_MAX];
    size_t n = 0;
    /* optopt: the value of a known flag that was misused, or an unknown letter */
    bool known = false;
    for (; n < TABLE_MAX && table[n].name; n++) {
        flags[n] = table[n].name;
        known = known || (optopt && table[n].val == optopt);
    }
    if (known) {
        snprintf(why, USAGE_WHY_MAX, "%.80s: takes no value; see --help", word);
    } else if (optopt) {
        snprintf(why, USAGE_WHY_MAX, "-%c: no such flag; flags begin with --, see --help", optopt);
    } else {
        char name[WORD_MAX + 1]; /* without the -- and without =VALUE */
        snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
        const char *nearest = usage_nearest(name, flags, n);
        snprintf(why, USAGE_WHY_MAX, "%.80s: no such flag; %s%s%s", word,
                 nearest ? "did you mean --" : "see --help", nearest ? nearest : "",
                 nearest ? "?" : "");
    }
}

void usage_variable_name(const char *variable, char name[USAGE_VARIABLE_MAX]) {
    snprintf(name, USAGE_VARIABLE_MAX, PREFIX "%s", variable);
    for (char *c = name; *c; c++) {
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    }
}

/* Whether Kubernetes, or Docker's links, which it imitates, sets such a variable for a service:
 * NAME_SERVICE_HOST, NAME_SERVICE_PORT, NAME_SERVICE_PORT_HTTP, NAME_PORT=tcp://...,
 * NAME_PORT_80_TCP, NAME_PORT_80_TCP_ADDR. `name` has len letters. */
static bool names_a_service(const char *name, size_t len, const char *value) {
    char text[128];
    snprintf(text, sizeof text, "%.*s", (int)len, name);
    if (strstr(text, "_SERVICE_HOST") || strstr(text, "_SERVICE_PORT")) {
        return true;
    }
    const char *port = strstr(text, "_PORT");
    if (!port) {
        return false;
    }
    port += strlen("_PORT");
    const bool is_address = strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0 ||
                            strncmp(value, "sctp://", 7) == 0;
    return (*port == '\0' && is_address) || (*port == '_' && isdigit((unsigned char)port[1]));
}

static bool is_known(const char *name, size_t len) {
    for (size_t i = 0; i < VARIABLES; i++) {
        char variable[USAGE_VARIABLE_MAX];
        usage_variable_name(variables[i], variable);
        if (*variables[i] && strlen(variable) == len && memcmp(variable, name, len) == 0) {
            return true;
        }
    }
    return false;
}

bool usage_environment(char *const *environment, size_t *passed_over, char *why) {
    *passed_over = 0;
    for (; *environment; environment++) {
        const char *name = *environment;
        const size_t len = strcspn(name, "=");
        if (strncmp(name, PREFIX, PREFIX_LEN) != 0 || is_known(name, len)) {
            continue;
        }
        if (names_a_service(name, len, name[len] == '=' ? name + len + 1 : "")) {
            ++*passed_over;
            continue;
        }
        char word[WORD_MAX + 1];
        snprintf(word, sizeof word, "%.*s", (int)(len - PREFIX_LEN), name + PREFIX_LEN);
        for (char *c = word; *c; c++) {
            *c = *c == '_' ? '-' : *c;
        }
        const char *nearest = usage_nearest(word, variables, VARIABLES);
        char meant[USAGE_VARIABLE_MAX] = "";
        if (nearest) {
            usage_variable_name(nearest, meant);
        }
        snprintf(why, USAGE_WHY_MAX, "%.*s: no such variable; %s%s%s", (int)(len < 80 ? len : 80),
                 name, nearest ? "did you mean " : "see --help", meant, nearest ? "?" : "");
        return false;
    }
    return true;
}
