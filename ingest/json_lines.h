/* JSON objects, one per line. Reading an object also finds where its line ends, so the line end
 * need not be searched first, and the setup that record_read_json does for each text is done once
 * for all lines. Pure; one thread. */
#ifndef AFORO_INGEST_JSON_LINES_H
#define AFORO_INGEST_JSON_LINES_H

#include "ingest/json_event.h"

struct json_lines {
    struct json_reader reader;
};

/* text[0..len) stays the caller's and must remain valid. No byte beyond it is read. */
void json_lines_begin(struct json_lines *lines, const char *text, size_t len);

/* Reads the line that begins at `at` into a record that the caller has begun, with the result of
 * record_read_json for the line without its end. Returns the line's LF, or NULL when the result
 * would not be RECORD_EVENT or the text ends before the line does. The caller then finds the line's
 * end, begins the record again and uses record_read_json, which tells what is wrong. */
const char *json_lines_read(struct json_lines *lines, struct record *record,
                            const struct fields *fields, const char *at);

/* The same for an object that begins at `at`, possibly in the middle of a line: returns the byte
 * after its closing brace. */
const char *json_lines_read_object(struct json_lines *lines, struct record *record,
                                   const struct fields *fields, const char *at);

#endif
