/* A source: where the console program gets rows from. It is a table of functions, so that --last,
 * --follow and the formats know nothing of Redis, HTTP or files. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_SOURCE_H
#define AFORO_TOOLS_CONSOLE_SOURCE_H

#include "counters/query.h"
#include "redis/url.h"
#include "view/nodes.h"
#include "view/windows.h"

#define SOURCE_WHY_MAX 512
#define SOURCE_ANSWER_TIMEOUTS 30 /* a long answer may take this many time-outs in total */

/* Receives rows, one by one; false: no more are wanted. */
struct row_taker {
    bool (*take)(void *cls, const struct row *row);
    void *cls;
};

/* Receives sentences that say what is wrong. */
struct finding_taker {
    void (*take)(void *cls, const char *sentence);
    void *cls;
};

/* Receives nodes, in no particular order. */
struct node_taker {
    void (*take)(void *cls, const struct node_view *node);
    void *cls;
};

enum source_outcome {
    SOURCE_DONE,    /* all rows of the query were passed */
    SOURCE_STOPPED, /* the taker of rows wanted no more */
    /* failed, perhaps after some rows; `why` is one sentence. Ask `ready` before the next query */
    SOURCE_AWAY
};

struct report_ops; /* report_source.h */

struct source {
    const struct source_ops *ops;
    const struct report_ops *reports;
    int64_t horizon_us; /* separates closed windows from final ones */
    /* a window's count is complete here, except for late events, this long after its end */
    int64_t settle_us;
    /* how far back from now everything is kept; 0: that depends on its content */
    int64_t kept_us[RESOLUTIONS];
    /* a sentence for when it has no event at all; it names the source */
    char nothing[SOURCE_WHY_MAX];
};

struct source_ops {
    /* Whether it answers (again). Connects if necessary. */
    bool (*ready)(struct source *source, char why[SOURCE_WHY_MAX]);
    /* Passes the rows of `query` at time now_us (wall clock), oldest first, without a gap. */
    enum source_outcome (*rows)(struct source *source, const struct query *query, int64_t now_us,
                                const struct row_taker *taker, char why[SOURCE_WHY_MAX]);
    /* Checks that what it keeps beside the counts agrees with them, in the span of `query`; NULL:
     * it keeps nothing else. False when that could not be read. */
    bool (*audit)(struct source *source, const struct query *query, int64_t now_us,
                  const struct finding_taker *taker, char why[SOURCE_WHY_MAX]);
    /* Passes the nodes that it knows of, and whether they are present at time now_us; NULL: it
     * knows of none. False when it could not be asked. */
    bool (*nodes)(struct source *source, int64_t now_us, const struct node_taker *taker,
                  char why[SOURCE_WHY_MAX]);
    void (*close)(struct source *source); /* frees it */
};

struct source_config {
    const char *place; /* URL or directory; must outlive the source */
    int64_t timeout_us;
    int64_t horizon_us;
    /* file of readers' tokens, the first of which is sent to a server; NULL: none */
    const char *token_file;
    const char *token; /* the same token, not in a file; NULL: none */
    /* authorities that may sign a server's certificate (PEM); NULL: those that the system trusts */
    const char *ca_file;
    struct redis_tls_options redis_tls; /* for rediss:// */
};

/* Each opens a source and makes sure that it answers; the source's `close` frees it. NULL, with a
 * sentence in `why`, when it does not answer. */
struct source *source_redis_open(const struct source_config *config, char why[SOURCE_WHY_MAX]);
struct source *source_server_open(const struct source_config *config, char why[SOURCE_WHY_MAX]);
struct source *source_state_open(const struct source_config *config, char why[SOURCE_WHY_MAX]);

/* Whether a URL has the form that such a source needs, whatever answers there. False with a
 * sentence in `why`, which does not say where the URL came from. */
bool source_redis_place_is_valid(const char *place, char why[SOURCE_WHY_MAX]);

/* Whether the files that the place needs for TLS can be read, if it is a rediss:// URL. */
bool source_redis_tls_is_valid(const char *place, const struct redis_tls_options *tls,
                               char why[SOURCE_WHY_MAX]);
bool source_server_place_is_valid(const char *place, char why[SOURCE_WHY_MAX]);

/* As source_server_open, but the server is not asked yet, and may be down. */
struct source *source_server_new(const struct source_config *config, char why[SOURCE_WHY_MAX]);

/* A page of a server, as it answered. */
struct source_page {
    char *text; /* [cap], owned by the caller; NUL-terminated */
    size_t cap;
    long status; /* HTTP; 0: no answer came */
};

/* Asks such a server for the page at `path` and fills *page. False, with a sentence in `why`, when
 * no answer came or it does not fit. */
bool source_server_page(struct source *server, const char *path, struct source_page *page,
                        char why[SOURCE_WHY_MAX]);

/* For sources that can read any window: finds what `query` means, reads it in blocks and passes the
 * rows. */
enum source_outcome source_rows_from_reader(const struct source *source,
                                            const struct query_reader *reader,
                                            const struct query *query, int64_t now_us,
                                            const struct row_taker *taker);

#endif
