/* Rows of reports from a running aforod: GET /reports, passed on as they arrive. The server knows
 * the definitions and writes in the requested format. */
#include "tools/console/source_server.h"

#include <stdio.h>
#include <string.h>

/* The text being passed: anything that is not a row of ours must not reach a terminal. */
struct passing {
    const struct text_taker *taker;
    const char *begin; /* how the text must begin; "": anything */
    size_t at;
    unsigned char before; /* the last byte */
    bool odd;             /* it is not an answer of an aforod */
};

/* Whether our text, csv or json may contain the byte. */
static bool is_fit(unsigned char byte, unsigned char before) {
    const bool inside = byte >= 0x80 && byte < 0xc0; /* a continuation byte of UTF-8 */
    if (inside)
        return before >= 0x80 && !(before == 0xc2 && byte < 0xa0);
    return byte >= ' ' ? byte != 0x7f : byte == '\n' || byte == '\r' || byte == '\t';
}

static bool pass_on(void *cls, const char *bytes, size_t len) {
    struct passing *passing = cls;
    for (size_t i = 0; i < len; i++) {
        const unsigned char byte = (unsigned char)bytes[i];
        const char wanted = passing->begin[passing->at];
        if (!is_fit(byte, passing->before) || (wanted != '\0' && wanted != bytes[i])) {
            passing->odd = true;
            return false;
        }
        passing->at += wanted != '\0';
        passing->before = byte;
    }
    return passing->taker->take(passing->taker->cls, bytes, len);
}

static enum report_outcome get_text(struct source *source, const struct source_path *path,
                                    struct passing *passing, char *why) {
    long status;
    const struct text_taker taker = {pass_on, passing};
    if (path->overlong) {
        snprintf(why, SOURCE_WHY_MAX, "more is asked than a server reads of one request");
        return REPORT_WRONG;
    }
    const enum source_outcome outcome =
        source_server_stream(source, path->text, &taker, &status, why);
    if (passing->odd || (outcome == SOURCE_DONE && passing->begin[passing->at] != '\0')) {
        snprintf(why, SOURCE_WHY_MAX, "what answers there is not an aforod");
        return REPORT_AWAY;
    }
    if (outcome != SOURCE_AWAY)
        return outcome == SOURCE_DONE ? REPORT_DONE : REPORT_STOPPED;
    return status == 404 ? REPORT_UNKNOWN : status == 400 ? REPORT_WRONG : REPORT_AWAY;
}

static enum report_outcome read_rows(struct source *source, const struct report_words *words,
                                     const struct text_taker *taker, char why[SOURCE_WHY_MAX]) {
    static const char *const formats[] = {
        [ROWS_TEXT] = "text", [ROWS_CSV] = "csv", [ROWS_JSON] = "json"};
    static const char *const begins[] = {
        [ROWS_TEXT] = "", [ROWS_CSV] = "start,state,", [ROWS_JSON] = "{\"report\":\""};
    struct source_path path = {0};
    if (words->zone != NULL) {
        snprintf(why, SOURCE_WHY_MAX, "--local: a server shows its reports in UTC; leave it out");
        return REPORT_WRONG;
    }
    if (words->name[strspn(words->name, "abcdefghijklmnopqrstuvwxyz0123456789_-.")] != '\0') {
        snprintf(why, SOURCE_WHY_MAX, "'%.60s' is no name of a report; aforo reports lists them",
                 words->name);
        return REPORT_UNKNOWN;
    }
    path.len = (size_t)snprintf(path.text, sizeof path.text, "/reports/%.200s%s%.40s", words->name,
                                words->window != NULL ? "/" : "",
                                words->window != NULL ? words->window : "");
    source_path_add(&path, "format", formats[words->format]);
    if (words->from_us > 0 || (words->last == 0 && words->to_us == QUERY_TO_NONE))
        source_path_add_time(&path, "from", words->from_us);
    if (words->to_us != QUERY_TO_NONE)
        source_path_add_time(&path, "to", words->to_us);
    if (words->last > 0)
        source_path_add_number(&path, "last", words->last);
    if (words->partial)
        source_path_add(&path, "partial", "1");
    for (unsigned i = 0; i < words->wheres; i++)
        source_path_add(&path, "where", words->where[i]);
    if (words->top > 0)
        source_path_add_number(&path, "top", words->top);
    if (words->by != NULL)
        source_path_add(&path, "by", words->by);
    struct passing passing = {.taker = taker, .begin = begins[words->format]};
    return get_text(source, &path, &passing, why);
}

static enum report_outcome list_reports(struct source *source, enum rows_format format,
                                        const struct text_taker *taker, char why[SOURCE_WHY_MAX]) {
    const bool json = format == ROWS_JSON;
    struct source_path path = {.text = "/reports", .len = sizeof "/reports" - 1};
    source_path_add(&path, "format", json ? "json" : "text");
    struct passing passing = {.taker = taker, .begin = json ? "{\"reports\":[" : "REPORT "};
    return get_text(source, &path, &passing, why);
}

const struct report_ops report_server_ops = {.rows = read_rows, .list = list_reports};
