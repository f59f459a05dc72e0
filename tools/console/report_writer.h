/* Answers about a report -> standard output: several, one after the other, read as one. One thread.
 */
#ifndef AFORO_TOOLS_CONSOLE_REPORT_WRITER_H
#define AFORO_TOOLS_CONSOLE_REPORT_WRITER_H

#include "view/windows.h"

#include <stdio.h>

#define REPORT_TAIL 4 /* bytes behind the last row in json */

struct report_writer {
    FILE *out;
    enum rows_format format;
    bool begun; /* what stands before the first row is out */
    bool any;   /* a row is out */
    int error;  /* errno of the first write that failed; EPIPE: nobody reads any more */
    /* of the answer under way */
    bool in_rows;           /* what stands before its first row has been taken */
    bool has_rows;          /* a row of it has begun */
    char tail[REPORT_TAIL]; /* its last bytes, which are not out yet */
    size_t tail_len;
};

/* Begins the next answer. */
void report_writer_begin(struct report_writer *writer);

/* Takes a piece of it; false when writing failed, now or before. For struct text_taker. */
bool report_writer_take(void *cls, const char *bytes, size_t len);

/* Writes what stands after the last row of all answers; flushes. */
bool report_writer_end(struct report_writer *writer);
bool report_writer_flush(struct report_writer *writer);

#endif
