#include "server/http/query_arguments.h"

#include "ingest/timestamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAST_MAX 1000000000

static bool has_argument(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name) != NULL;
}

static bool argument_time(struct MHD_Connection *connection, const char *name, int64_t *us,
                          char *why, size_t cap) {
    const char *text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
    struct timestamp_error error;
    if (!text || timestamp_parse(text, strlen(text), us, &error)) {
        return true;
    }
    char sentence[128];
    timestamp_explain(&error, sentence, sizeof sentence);
    const bool plus = error.found == ' ' && error.at >= sizeof "2016-05-28T11:11:11" - 1 &&
                      text[error.at + 1] >= '0' && text[error.at + 1] <= '9';
    snprintf(why, cap, "%s: %s%s", name, sentence,
             plus ? "; send %2B for the '+' of an offset" : "");
    return false;
}

bool query_arguments_number(struct MHD_Connection *connection, const char *name, int64_t most,
                            int64_t *number, char *why, size_t cap) {
    const char *text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
    if (!text) {
        return true;
    }
    char *end;
    const long long n = strtoll(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || n < 1 || n > most) {
        snprintf(why, cap, "%s: must be a whole number from 1 to %" PRId64, name, most);
        return false;
    }
    *number = n;
    return true;
}

bool query_arguments_yes(struct MHD_Connection *connection, const char *name, bool *yes, char *why,
                         size_t cap) {
    const char *said = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
    *yes = said && (strcmp(said, "1") == 0 || strcmp(said, "yes") == 0);
    if (*yes || !said || strcmp(said, "0") == 0 || strcmp(said, "no") == 0) {
        return true;
    }
    snprintf(why, cap, "%s: must be 1 or yes, or 0 or no", name);
    return false;
}

bool query_arguments_read(struct MHD_Connection *connection, struct query_arguments *arguments,
                          char *why, size_t cap) {
    *arguments = (struct query_arguments){.to_us = QUERY_TO_NONE, .format = ROWS_TEXT};
    if (!argument_time(connection, "from", &arguments->from_us, why, cap) ||
        !argument_time(connection, "to", &arguments->to_us, why, cap)) {
        return false;
    }
    /* Only whether a bound was given matters, not which: one at or before 1970 bounds nothing, but
     * was given all the same. */
    const bool from = has_argument(connection, "from");
    arguments->last = from || has_argument(connection, "to") ? 0 : QUERY_LAST_DEFAULT;
    if (!query_arguments_number(connection, "last", LAST_MAX, &arguments->last, why, cap)) {
        return false;
    }
    if (from && arguments->to_us < arguments->from_us) {
        snprintf(why, cap, "to: is before from");
        return false;
    }
    if (!query_arguments_yes(connection, "partial", &arguments->partial, why, cap)) {
        return false;
    }
    const char *format = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "format");
    if (format && !rows_format_by_name(format, &arguments->format)) {
        snprintf(why, cap, "format: must be text, csv or json");
        return false;
    }
    return true;
}

const char *query_arguments_type(enum rows_format format) {
    static const char *const types[] = {[ROWS_TEXT] = "text/plain; charset=utf-8",
                                        [ROWS_CSV] = "text/csv",
                                        [ROWS_JSON] = "application/json"};
    return types[format];
}
