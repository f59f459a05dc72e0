#include "server/http/pages.h"

#include "server/http/counts_page.h"
#include "server/http/status_page.h"

#include <stdio.h>
#include <string.h>

#define COUNTS_PREFIX "/counts/"

static bool find_resolution(const char *url, enum resolution *r) {
    return strncmp(url, COUNTS_PREFIX, sizeof COUNTS_PREFIX - 1) == 0 &&
           resolution_by_name(url + sizeof COUNTS_PREFIX - 1, r);
}

bool pages_has(const char *url) {
    enum resolution r;
    return strcmp(url, "/healthz") == 0 || strcmp(url, "/stats") == 0 || find_resolution(url, &r);
}

static const char *const counts_arguments[] = {"last", "from", "to", "partial", "format"};
#define COUNTS_ARGUMENTS (sizeof counts_arguments / sizeof *counts_arguments)
#define COUNTS_ARGUMENTS_TEXT "last, from, to, partial, format"
#define NAME_SHOWN 40 /* bytes of a name that is not known */

struct arguments {
    bool none_known;
    unsigned seen[COUNTS_ARGUMENTS];
    char *why;
    bool fit;
};

static bool refuse_argument(struct arguments *arguments, const char *name, const char *what) {
    char shown[NAME_SHOWN + 1];
    size_t n = 0;
    for (; n < NAME_SHOWN && name[n]; n++) {
        shown[n] = name[n] >= ' ' && name[n] <= '~' ? name[n] : '?';
    }
    shown[n] = '\0';
    snprintf(arguments->why, PAGES_WHY_MAX, "%s: %s", shown, what);
    arguments->fit = false;
    return false;
}

static enum MHD_Result check_argument(void *cls, enum MHD_ValueKind kind, const char *name,
                                      const char *value) {
    (void)kind;
    struct arguments *arguments = cls;
    size_t i = 0;
    if (!*name && (!value || !*value)) {
        return MHD_YES; /* between two '&' */
    }
    while (!arguments->none_known && i < COUNTS_ARGUMENTS &&
           strcmp(name, counts_arguments[i]) != 0) {
        i++;
    }
    const bool fits =
        arguments->none_known
            ? refuse_argument(arguments, name, "no such argument, this page takes none")
        : i == COUNTS_ARGUMENTS
            ? refuse_argument(arguments, name, "no such argument; there are " COUNTS_ARGUMENTS_TEXT)
        : arguments->seen[i]++ ? refuse_argument(arguments, name, "given more than once")
        : !value               ? refuse_argument(arguments, name, "needs a value")
                               : true;
    return fits ? MHD_YES : MHD_NO;
}

bool pages_arguments_fit(struct MHD_Connection *connection, const char *url, char *why) {
    enum resolution r;
    struct arguments arguments = {.none_known = !find_resolution(url, &r), .why = why, .fit = true};
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, check_argument, &arguments);
    return arguments.fit;
}

void pages_make(struct worker *worker, struct MHD_Connection *connection, const char *url,
                struct page *page) {
    enum resolution r;
    *page = (struct page){0};
    if (find_resolution(url, &r)) {
        counts_page_make(worker, connection, r, page);
    } else if (strcmp(url, "/stats") == 0) {
        status_page_make_stats(worker, page);
    } else {
        status_page_make_health(worker, page);
    }
}
