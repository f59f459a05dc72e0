/* Objects of JSON, one a line. Reading one tells where it ends, so its line end is not looked for
 * before, and what record_read_json has to do for each text is done once for all of them. Pure; by
 * one thread. */
#ifndef AFORO_INGEST_JSON_LINES_H
#define AFORO_INGEST_JSON_LINES_H

#include "ingest/json_event.h"

struct json_lines {
    struct json_reader reader;
};

/* text[0..len) stays the caller's. No byte beyond it is read. */
void json_lines_begin(struct json_lines *lines, const char *text, size_t len);

/* Reads the line that begins at a place of the text into the record, which the caller has begun:
 * as record_read_json reads it without its end. Returns its LF. NULL when that would not be
 * RECORD_EVENT, or the text ends before the line: whoever gets it looks for the line's end and
 * begins the record anew; record_read_json then says what is wrong. */
const char *json_lines_read(struct json_lines *lines, struct record *record,
                            const struct fields *fields, const char *at);

/* The same of an object that begins at a place, within a line or not: returns the byte behind its
 * brace. */
const char *json_lines_read_object(struct json_lines *lines, struct record *record,
                                   const struct fields *fields, const char *at);

#endif
