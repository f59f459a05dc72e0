/* Writes answers about a report to standard output so that several in a row read as one. One
 * thread. */
#ifndef AFORO_TOOLS_CONSOLE_REPORT_WRITER_H
#define AFORO_TOOLS_CONSOLE_REPORT_WRITER_H

#include "view/windows.h"

#include <stdio.h>

#define REPORT_TAIL 4 /* bytes after the last row in JSON */

struct report_writer {
    FILE *out;
    enum rows_format format;
    bool begun; /* what precedes the first row is written */
    bool any;   /* a row is written */
    int error;  /* errno of the first failed write; EPIPE: the reader has gone */
    /* the remaining members concern the current answer */
    bool in_rows;           /* what precedes its first row was taken */
    bool has_rows;          /* a row of it has begun */
    char tail[REPORT_TAIL]; /* its last bytes, not yet written */
    size_t tail_len;
};

/* Begins the next answer. */
void report_writer_begin(struct report_writer *writer);

/* Takes a piece of the answer; cls is the writer, for struct text_taker. False when writing failed,
 * now or before. */
bool report_writer_take(void *cls, const char *bytes, size_t len);

/* Writes what follows the last row of all answers, and flushes. False when writing failed. */
bool report_writer_end(struct report_writer *writer);
bool report_writer_flush(struct report_writer *writer);

#endif
