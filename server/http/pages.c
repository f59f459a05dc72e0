#include "server/http/pages.h"

#include "server/http/counts_page.h"
#include "server/http/live_round.h"
#include "server/http/metrics_page.h"
#include "server/http/nodes_page.h"
#include "server/http/reports_page.h"
#include "server/http/status_page.h"

#include <stdio.h>
#include <string.h>

#define COUNTS_PREFIX "/counts/"
#define METRICS_PATH "/metrics"

bool pages_find_resolution(const char *url, enum resolution *r) {
    return strncmp(url, COUNTS_PREFIX, sizeof COUNTS_PREFIX - 1) == 0 &&
           resolution_by_name(url + sizeof COUNTS_PREFIX - 1, r);
}

bool pages_is_of_reports(const char *url) {
    const size_t len = sizeof REPORTS_PATH - 1;
    return strncmp(url, REPORTS_PATH, len) == 0 && (url[len] == '\0' || url[len] == '/');
}

bool pages_has(const char *url) {
    enum resolution r;
    return strcmp(url, "/healthz") == 0 || strcmp(url, "/stats") == 0 ||
           strcmp(url, "/nodes") == 0 || strcmp(url, PAGES_LIVE) == 0 ||
           strcmp(url, METRICS_PATH) == 0 || pages_is_of_reports(url) ||
           pages_find_resolution(url, &r);
}

/* ---- arguments ---- */

#define NAME_SHOWN 40 /* bytes of an unknown name that are quoted */

static const struct pages_arguments known_none = {.unknown =
                                                      "no such argument, this page takes none"};
static const struct pages_arguments known_of_counts = {
    .name = {"last", "from", "to", "partial", "format"},
    .unknown = "no such argument; there are last, from, to, partial, format"};
static const struct pages_arguments known_of_report = {
    .name = {"last", "from", "to", "partial", "where", "top", "by", "format"},
    .unknown = "no such argument; there are last, from, to, partial, where, top, by, format",
    .repeated = "where"};
static const struct pages_arguments known_of_list = {
    .name = {"format"}, .unknown = "no such argument; there is format"};

static const struct pages_arguments known_of_live = {
    .name = {"10ms", "1s", "1min", "nodes"},
    .unknown = "no such argument; there are 10ms, 1s, 1min, nodes"};

const struct pages_arguments *pages_find_arguments(const char *url) {
    enum resolution r;
    if (strcmp(url, PAGES_LIVE) == 0) {
        return &known_of_live;
    }
    const size_t len = sizeof REPORTS_PATH - 1;
    if (pages_is_of_reports(url)) {
        return url[len] && url[len + 1] ? &known_of_report : &known_of_list;
    }
    return pages_find_resolution(url, &r) ? &known_of_counts : &known_none;
}

struct arguments {
    const struct pages_arguments *known;
    unsigned seen[PAGES_ARGUMENTS_MAX];
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
        return MHD_YES; /* nothing between two '&' */
    }
    const struct pages_arguments *known = arguments->known;
    while (i < PAGES_ARGUMENTS_MAX && known->name[i] && strcmp(name, known->name[i]) != 0) {
        i++;
    }
    const bool is_known = i < PAGES_ARGUMENTS_MAX && known->name[i];
    const bool once = !known->repeated || strcmp(name, known->repeated) != 0;
    const bool fits = !is_known ? refuse_argument(arguments, name, known->unknown)
                      : arguments->seen[i]++ && once
                          ? refuse_argument(arguments, name, "given more than once")
                      : !value ? refuse_argument(arguments, name, "needs a value")
                               : true;
    return fits ? MHD_YES : MHD_NO;
}

bool pages_arguments_are(struct MHD_Connection *connection, const struct pages_arguments *known,
                         char *why) {
    struct arguments arguments = {.known = known, .why = why, .fit = true};
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, check_argument, &arguments);
    return arguments.fit;
}

bool pages_arguments_fit(struct MHD_Connection *connection, const char *url, char *why) {
    return pages_arguments_are(connection, pages_find_arguments(url), why);
}

void pages_make(struct worker *worker, struct MHD_Connection *connection, const char *url,
                struct page *page) {
    enum resolution r;
    *page = (struct page){0};
    if (worker->server->pages) {
        worker->server->pages->make(worker, connection, url, page);
    } else if (pages_find_resolution(url, &r)) {
        counts_page_make(worker, connection, r, page);
    } else if (pages_is_of_reports(url)) {
        reports_page_make(worker, connection, url, page);
    } else if (strcmp(url, PAGES_LIVE) == 0) {
        live_round_make(worker, connection, page);
    } else if (strcmp(url, "/nodes") == 0) {
        nodes_page_make(worker, page);
    } else if (strcmp(url, METRICS_PATH) == 0) {
        metrics_page_make(worker, connection, page);
    } else if (strcmp(url, "/stats") == 0) {
        status_page_make_stats(worker, page);
    } else {
        status_page_make_health(worker, page);
    }
}
