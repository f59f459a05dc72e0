/* Rows from a running aforod: GET /counts, read as CSV while it arrives. The server itself
 * interprets the query and knows each window's state. */
#include "tools/console/source_server.h"

#include "tools/console/json_value.h"

#include "common/tokens.h"
#include "ingest/timestamp.h"
#include "tools/console/reach.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define URL_MAX 1024
#define LINE_MAX_BYTES 256 /* bytes of a row, or of the sentence that explains an HTTP error */
/* bytes a second: an answer that is slower than this for --timeout counts as stalled */
#define SPEED_MIN 1000
/* an event stamped at the end of a window is counted only when it has arrived */
#define SETTLE_US (100 * US_PER_MS)

struct source_server {
    struct source base;
    CURL *curl;
    struct curl_slist *headers;
    const char *place;
    int64_t timeout_us;
    char curl_error[CURL_ERROR_SIZE];
};

/* One answer as it arrives. */
struct answer {
    struct source_server *server;
    enum resolution resolution;
    const struct row_taker *taker; /* NULL: no rows are expected */
    /* rows must start before to_us, and each at `next` or later; next < 0: there was none yet */
    int64_t to_us, next;
    const struct text_taker *text; /* receives the body as it is; NULL: nobody */
    char *page;                    /* NULL: the body is not needed */
    size_t cap;
    char line[LINE_MAX_BYTES];
    size_t len;
    uint64_t lines;
    bool stopped;
    bool not_rows; /* `line` is not an answer of an aforod */
};

/* Reads ",122" and moves *at past it. Digits only, since strtoull takes -1 for 2^64 - 1. */
static bool parse_count(const char **at, uint64_t *count) {
    const char *digits = *at + 1;
    char *end;
    errno = 0;
    *count = strtoull(digits, &end, 10);
    *at = end;
    return *digits >= '0' && *digits <= '9' && errno == 0;
}

/* "2016-05-28T11:11:11.120Z,122,closed" -> *row. */
static bool parse_row(const char *line, enum resolution r, struct row *row) {
    const char *comma = strchr(line, ',');
    int64_t start_us;
    struct timestamp_error ignored;
    if (comma == NULL || !timestamp_parse(line, (size_t)(comma - line), &start_us, &ignored) ||
        start_us < 0)
        return false;
    char state[8];
    int used = 0;
    if (!parse_count(&comma, &row->count) || sscanf(comma, ",%7[a-z]%n", state, &used) != 1 ||
        comma[used] != '\0')
        return false;
    row->window = window_at(r, start_us);
    for (int s = WINDOW_OPEN; s <= WINDOW_FINAL; s++) {
        row->state = (enum window_state)s;
        if (strcmp(state, window_state_name(row->state)) == 0)
            return window_start_us(r, row->window) == start_us;
    }
    return false;
}

/* Takes a whole line of a good answer; false: no more is wanted. */
static bool take_line(struct answer *answer) {
    answer->line[answer->len] = '\0';
    answer->len = 0;
    if (answer->lines++ == 0) {
        answer->not_rows = strcmp(answer->line, ROWS_CSV_HEADER_UTC) != 0;
        return !answer->not_rows;
    }
    struct row row;
    if (!parse_row(answer->line, answer->resolution, &row) ||
        (answer->next >= 0 && row.window != answer->next) ||
        window_start_us(answer->resolution, row.window) >= answer->to_us) {
        answer->not_rows = true;
        return false;
    }
    answer->next = row.window + 1;
    answer->stopped = !answer->taker->take(answer->taker->cls, &row);
    return !answer->stopped;
}

static size_t take_page(struct answer *answer, const char *data, size_t n) {
    if (answer->len + n >= answer->cap)
        return 0;
    memcpy(answer->page + answer->len, data, n);
    answer->len += n;
    answer->page[answer->len] = '\0';
    return n;
}

static size_t on_body(char *data, size_t size, size_t n, void *cls) {
    struct answer *answer = cls;
    long status = 0;
    curl_easy_getinfo(answer->server->curl, CURLINFO_RESPONSE_CODE, &status);
    const bool rows = status == 200 && answer->taker != NULL;
    if (status == 200 && answer->text != NULL) {
        answer->stopped = !answer->text->take(answer->text->cls, data, size * n);
        return answer->stopped ? 0 : size * n;
    }
    if (answer->page != NULL)
        return take_page(answer, data, size * n);
    for (size_t i = 0; i < size * n; i++) {
        if (data[i] == '\n' && rows) {
            if (!take_line(answer))
                return 0;
        } else if (answer->len + 1 < sizeof answer->line) {
            answer->line[answer->len++] = data[i];
        } else if (rows) {
            answer->not_rows = true;
            return 0;
        }
    }
    return size * n;
}

/* Writes what went wrong as one line. */
static void explain_failure(const struct source_server *server, struct answer *answer,
                            CURLcode code, long status, char why[SOURCE_WHY_MAX]) {
    if (code != CURLE_OK && !answer->not_rows) {
        snprintf(why, SOURCE_WHY_MAX, "server %s: %s", server->place,
                 server->curl_error[0] != '\0' ? server->curl_error : curl_easy_strerror(code));
        return;
    }
    char *said = answer->page != NULL ? answer->page : answer->line;
    said[answer->len] = '\0';
    said[strcspn(said, "\r\n")] = '\0';
    if (status != 200)
        snprintf(why, SOURCE_WHY_MAX, "server %s: HTTP %ld: %.250s", server->place, status, said);
    else
        snprintf(why, SOURCE_WHY_MAX, "server %s: what answers there is not an aforod",
                 server->place);
}

/* Whether this error means that the server does not answer. */
static bool is_no_answer(CURLcode code) {
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return true;
    default:
        return false;
    }
}

static enum source_outcome get_page(struct source_server *server, const char *path,
                                    struct answer *answer, char why[SOURCE_WHY_MAX]) {
    char url[SOURCE_URL_MAX];
    const size_t len = strlen(server->place);
    const int slash = len > 0 && server->place[len - 1] == '/';
    /* the query is added to it */
    const bool overlong = len - (size_t)slash + strcspn(path, "?") >= URL_MAX;
    if (snprintf(url, sizeof url, "%.*s%s", (int)len - slash, server->place, path) >=
            (int)sizeof url ||
        overlong) {
        snprintf(why, SOURCE_WHY_MAX, "server: the URL is too long");
        return SOURCE_AWAY;
    }
    server->curl_error[0] = '\0';
    const int64_t patience_us =
        server->timeout_us *
        (answer->taker != NULL || answer->text != NULL ? SOURCE_ANSWER_TIMEOUTS : 1);
    curl_easy_setopt(server->curl, CURLOPT_TIMEOUT_MS, (long)(patience_us / US_PER_MS));
    curl_easy_setopt(server->curl, CURLOPT_URL, url);
    curl_easy_setopt(server->curl, CURLOPT_WRITEDATA, answer);
    const CURLcode code = curl_easy_perform(server->curl);
    long status = 0;
    curl_easy_getinfo(server->curl, CURLINFO_RESPONSE_CODE, &status);
    reach_note(status == 0 && is_no_answer(code));
    if (answer->stopped)
        return SOURCE_STOPPED;
    const bool cut = answer->taker != NULL && (answer->lines == 0 || answer->len > 0);
    if (code == CURLE_OK && status == 200 && !cut && !answer->not_rows)
        return SOURCE_DONE;
    explain_failure(server, answer, code, status, why);
    return SOURCE_AWAY;
}

static enum source_outcome read_rows(struct source *source, const struct query *query,
                                     int64_t now_us, const struct row_taker *taker,
                                     char why[SOURCE_WHY_MAX]) {
    (void)now_us; /* the server's clock decides what is over */
    struct source_path path = {0};
    path.len = (size_t)snprintf(path.text, sizeof path.text, "/counts/%s",
                                resolution_table[query->resolution].name);
    source_path_add(&path, "format", "csv");
    /* Without --last and --to, a bound at or before 1970 is sent too: it says that no default is
     * wanted. */
    if (query->from_us > 0 || (query->last == 0 && query->to_us == QUERY_TO_NONE))
        source_path_add_time(&path, "from", query->from_us);
    if (query->to_us != QUERY_TO_NONE)
        source_path_add_time(&path, "to", query->to_us);
    if (query->last > 0)
        source_path_add_number(&path, "last", query->last);
    if (query->partial)
        source_path_add(&path, "partial", "1");
    struct answer answer = {.server = (struct source_server *)source,
                            .resolution = query->resolution,
                            .taker = taker,
                            .to_us = query->to_us,
                            .next = -1};
    return get_page(answer.server, path.text, &answer, why);
}

static bool make_ready(struct source *source, char why[SOURCE_WHY_MAX]) {
    struct answer answer = {.server = (struct source_server *)source};
    return get_page(answer.server, "/healthz", &answer, why) == SOURCE_DONE;
}

/* A numeric member of a node; 0 when there is none. */
static uint64_t node_number(const char *object, const char *name) {
    char text[32];
    return json_value(object, name, text, sizeof text) ? strtoull(text, NULL, 10) : 0;
}

static int64_t node_time_us(const char *object, const char *name) {
    char text[40];
    int64_t us;
    struct timestamp_error ignored;
    return json_value(object, name, text, sizeof text) &&
                   timestamp_parse(text, strlen(text), &us, &ignored)
               ? us
               : 0;
}

/* Passes on one object of /nodes. */
static void give_node(const char *object, const struct node_taker *taker) {
    char state[8];
    struct node_view node = {.received = node_number(object, "received"),
                             .counted = node_number(object, "counted"),
                             .lag_ms = (int64_t)node_number(object, "lag_ms"),
                             .started_us = node_time_us(object, "started"),
                             .complete_through_us = node_time_us(object, "complete_through"),
                             .last_seen_us = node_time_us(object, "last_seen")};
    if (json_value(object, "node", node.node, sizeof node.node)) {
        json_value(object, "version", node.version, sizeof node.version);
        json_value(object, "state", state, sizeof state);
        node.gone = strcmp(state, "here") != 0;
        taker->take(taker->cls, &node);
    }
}

#define NODES_PAGE_MAX (2 * 1024 * 1024)

/* An older server has no such page, and thus no nodes. */
static bool read_nodes(struct source *source, int64_t now_us, const struct node_taker *taker,
                       char why[SOURCE_WHY_MAX]) {
    (void)now_us; /* the server says which nodes are present */
    struct source_page page = {.text = malloc(NODES_PAGE_MAX), .cap = NODES_PAGE_MAX};
    if (page.text == NULL) {
        snprintf(why, SOURCE_WHY_MAX, "out of memory");
        return false;
    }
    bool well = source_server_page(source, "/nodes", &page, why);
    if (well && page.status != 200 && page.status != 404) {
        page.text[strcspn(page.text, "\r\n")] = '\0';
        snprintf(why, SOURCE_WHY_MAX, "server %.200s: HTTP %ld: %.200s",
                 ((struct source_server *)source)->place, page.status, page.text);
        well = false;
    }
    char *rest;
    for (char *line = page.text; well && page.status == 200 && line != NULL; line = rest) {
        rest = strchr(line, '\n');
        if (rest != NULL)
            *rest++ = '\0';
        if (*line == '{')
            give_node(line, taker);
    }
    free(page.text);
    return well;
}

static void close_server(struct source *source) {
    struct source_server *server = (struct source_server *)source;
    curl_slist_free_all(server->headers);
    curl_easy_cleanup(server->curl);
    free(server);
    curl_global_cleanup();
}

static const struct source_ops server_ops = {
    .ready = make_ready, .rows = read_rows, .nodes = read_nodes, .close = close_server};

static bool prepare_curl(struct source_server *server, const struct source_config *config) {
    CURL *curl = server->curl = curl_easy_init();
    if (curl == NULL)
        return false;
    const long timeout_ms = (long)(config->timeout_us / US_PER_MS);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    /* http_proxy is for other people's servers, not for one's own */
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "aforo");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, server->curl_error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    /* A long answer may take its time, but one that stalls or comes byte by byte may not. */
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)SPEED_MIN);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (timeout_ms + 999) / 1000);
    if (config->ca_file != NULL)
        curl_easy_setopt(curl, CURLOPT_CAINFO, config->ca_file);
    return true;
}

static bool send_token(struct source_server *server, const char *token, size_t len) {
    char header[URL_MAX];
    const int used = snprintf(header, sizeof header, "Authorization: Bearer %.*s", (int)len, token);
    server->headers = used < (int)sizeof header ? curl_slist_append(NULL, header) : NULL;
    return server->headers != NULL &&
           curl_easy_setopt(server->curl, CURLOPT_HTTPHEADER, server->headers) == CURLE_OK;
}

/* Finds the token that the server wants from readers, if any. Redirects are never followed, so
 * nobody else sees it. */
static bool find_token(struct source_server *server, const struct source_config *config,
                       char why[SOURCE_WHY_MAX]) {
    bool sent = true;
    struct stat is;
    const bool missing = config->ca_file != NULL && stat(config->ca_file, &is) != 0;
    /* reading a pipe could block */
    if (missing || (config->ca_file != NULL && !S_ISREG(is.st_mode))) {
        snprintf(why, SOURCE_WHY_MAX, "--ca-file %.160s: %s", config->ca_file,
                 missing ? strerror(errno) : "is not a regular file");
        return false;
    }
    if (config->token_file != NULL) {
        char said[TOKENS_WHY_MAX];
        struct tokens *tokens = tokens_read(config->token_file, NULL, said);
        if (tokens == NULL) {
            snprintf(why, SOURCE_WHY_MAX, "token file %s", said);
            return false;
        }
        size_t len;
        const char *token = tokens_text(tokens, 0, &len);
        sent = send_token(server, token, len);
        tokens_free(tokens);
    } else if (config->token != NULL) {
        sent = send_token(server, config->token, strlen(config->token));
    }
    if (!sent)
        snprintf(why, SOURCE_WHY_MAX, "server %s: its token is too long", config->place);
    return sent;
}

bool source_server_place_is_valid(const char *place, char why[SOURCE_WHY_MAX]) {
    const size_t scheme = strcspn(place, ":");
    const bool plain = scheme == 4 && strncmp(place, "http://", 7) == 0;
    const bool tls = scheme == 5 && strncmp(place, "https://", 8) == 0;
    if (!plain && !tls) {
        snprintf(why, SOURCE_WHY_MAX, "'%.160s' begins with neither http:// nor https://", place);
        return false;
    }
    CURLU *url = curl_url();
    const CURLUcode code =
        url != NULL ? curl_url_set(url, CURLUPART_URL, place, 0) : CURLUE_OUT_OF_MEMORY;
    const bool more = strpbrk(place, "?#") != NULL; /* the query is appended to it */
    if (code != CURLUE_OK || more)
        snprintf(why, SOURCE_WHY_MAX, "'%.160s' is not the URL of a server: %s", place,
                 code != CURLUE_OK ? curl_url_strerror(code) : "it must end before ? and #");
    curl_url_cleanup(url);
    return code == CURLUE_OK && !more;
}

struct source *source_server_new(const struct source_config *config, char why[SOURCE_WHY_MAX]) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct source_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        snprintf(why, SOURCE_WHY_MAX, "out of memory");
        curl_global_cleanup();
        return NULL;
    }
    server->base = (struct source){.ops = &server_ops,
                                   .reports = &report_server_ops,
                                   .horizon_us = config->horizon_us,
                                   .settle_us = SETTLE_US};
    server->place = config->place;
    server->timeout_us = config->timeout_us;
    snprintf(server->base.nothing, SOURCE_WHY_MAX, "server %.200s holds no events", config->place);
    if (!prepare_curl(server, config)) {
        snprintf(why, SOURCE_WHY_MAX, "server %s: the HTTP library could not be set up",
                 config->place);
    } else if (find_token(server, config, why)) {
        return &server->base;
    }
    close_server(&server->base);
    return NULL;
}

struct source *source_server_open(const struct source_config *config, char why[SOURCE_WHY_MAX]) {
    struct source *source = source_server_new(config, why);
    if (source != NULL && !make_ready(source, why)) {
        close_server(source);
        return NULL;
    }
    return source;
}

bool source_server_page(struct source *source, const char *path, struct source_page *page,
                        char why[SOURCE_WHY_MAX]) {
    struct source_server *server = (struct source_server *)source;
    struct answer answer = {.server = server, .page = page->text, .cap = page->cap};
    page->text[0] = '\0';
    page->status = 0;
    const enum source_outcome outcome = get_page(server, path, &answer, why);
    curl_easy_getinfo(server->curl, CURLINFO_RESPONSE_CODE, &page->status);
    return outcome == SOURCE_DONE || (page->status != 0 && page->status != 200 && answer.len > 0);
}

enum source_outcome source_server_stream(struct source *source, const char *path,
                                         const struct text_taker *taker, long *status,
                                         char why[SOURCE_WHY_MAX]) {
    struct source_server *server = (struct source_server *)source;
    struct answer answer = {.server = server, .text = taker};
    const enum source_outcome outcome = get_page(server, path, &answer, why);
    *status = 0;
    curl_easy_getinfo(server->curl, CURLINFO_RESPONSE_CODE, status);
    return outcome;
}
