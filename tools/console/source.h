/* Where the console program gets rows from: a table of functions, so that --last, --follow and the
 * formats know nothing of Redis, HTTP or files. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_SOURCE_H
#define AFORO_TOOLS_CONSOLE_SOURCE_H

#include "counters/query.h"
#include "redis/url.h"
#include "view/nodes.h"
#include "view/windows.h"

#define SOURCE_WHY_MAX 512
#define SOURCE_ANSWER_TIMEOUTS 30 /* a long answer may take so many time-outs, as a whole */

/* Who is given rows, one by one; false: no more are wanted. */
struct row_taker {
    bool (*take)(void *cls, const struct row *row);
    void *cls;
};

/* Who is given sentences that say what is wrong. */
struct finding_taker {
    void (*take)(void *cls, const char *sentence);
    void *cls;
};

/* Who is given nodes, in no order. */
struct node_taker {
    void (*take)(void *cls, const struct node_view *node);
    void *cls;
};

enum source_outcome {
    SOURCE_DONE,    /* all rows of the query were given */
    SOURCE_STOPPED, /* the taker of rows wanted no more */
    SOURCE_AWAY /* failed, perhaps after some rows; `why` is one sentence. Ask `ready` before the
                 * next query
                 */
};

struct report_ops; /* report_source.h */

struct source {
    const struct source_ops *ops;
    const struct report_ops *reports;
    int64_t horizon_us; /* tells closed windows from final ones */
    int64_t settle_us;  /* after a window is over, its count is complete here (but for late events)
                           this much  later */
    /* how far back from now all is kept; 0: that is up to what is in it */
    int64_t kept_us[RESOLUTIONS];
    /* what to say when it holds no event at all; it names the source */
    char nothing[SOURCE_WHY_MAX];
};

struct source_ops {
    /* Does it answer (again)? Connects when it must. */
    bool (*ready)(struct source *source, char why[SOURCE_WHY_MAX]);
    /* The rows of `query` at time now_us, oldest first, without a gap. */
    enum source_outcome (*rows)(struct source *source, const struct query *query, int64_t now_us,
                                const struct row_taker *taker, char why[SOURCE_WHY_MAX]);
    /* Whether what it keeps beside the counts fits them, in the span of `query`; NULL: there is
     * nothing beside them. False: it could not be looked at. */
    bool (*audit)(struct source *source, const struct query *query, int64_t now_us,
                  const struct finding_taker *taker, char why[SOURCE_WHY_MAX]);
    /* The nodes that it knows of, and whether they are here at time now_us; NULL: it knows of none.
     * False: it could not be asked. */
    bool (*nodes)(struct source *source, int64_t now_us, const struct node_taker *taker,
                  char why[SOURCE_WHY_MAX]);
    void (*close)(struct source *source); /* frees it */
};

struct source_config {
    const char *place; /* URL or directory; must outlive the source */
    int64_t timeout_us;
    int64_t horizon_us;
    const char *token_file; /* of a reader, the first of it is sent to a server; NULL: none */
    const char *token;      /* the same, not in a file; NULL: none */
    /* who may sign a server's certificate (PEM); NULL: whom the system trusts */
    const char *ca_file;
    struct redis_tls_options redis_tls; /* of rediss:// */
};

/* Each opens its source and makes sure that it answers; NULL, with a sentence in `why`, when it
 * does not. */
struct source *source_redis_open(const struct source_config *config, char why[SOURCE_WHY_MAX]);
struct source *source_server_open(const struct source_config *config, char why[SOURCE_WHY_MAX]);
struct source *source_state_open(const struct source_config *config, char why[SOURCE_WHY_MAX]);

/* Whether a URL can be one of such a source, whatever answers there; false with a sentence in
 * `why`, which does not say where the URL came from. */
bool source_redis_place_is_valid(const char *place, char why[SOURCE_WHY_MAX]);

/* Whether what that place needs for TLS can be read, where it is rediss://. */
bool source_redis_tls_is_valid(const char *place, const struct redis_tls_options *tls,
                               char why[SOURCE_WHY_MAX]);
bool source_server_place_is_valid(const char *place, char why[SOURCE_WHY_MAX]);

/* A server that need not be well: as source_server_open, but nobody is asked yet. */
struct source *source_server_new(const struct source_config *config, char why[SOURCE_WHY_MAX]);

/* A page of a server, as it answers. */
struct source_page {
    char *text; /* [cap], of the caller's; NUL-terminated */
    size_t cap;
    long status; /* HTTP; 0: no answer came */
};

/* Asks such a server for the page at `path` into *page; false with a sentence in `why` when no
 * answer came, or one that does not fit. */
bool source_server_page(struct source *server, const char *path, struct source_page *page,
                        char why[SOURCE_WHY_MAX]);

/* For sources that can read any window: finds what `query` means and gives its rows, in blocks. */
enum source_outcome source_rows_from_reader(const struct source *source,
                                            const struct query_reader *reader,
                                            const struct query *query, int64_t now_us,
                                            const struct row_taker *taker);

#endif
