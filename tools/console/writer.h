/* Writes rows to standard output in the requested format, and tells a reader that went away from a
 * full disk. */
#ifndef AFORO_TOOLS_CONSOLE_WRITER_H
#define AFORO_TOOLS_CONSOLE_WRITER_H

#include "view/windows.h"

#include <stdio.h>

struct writer {
    FILE *out;
    struct rows_form form;
    /* what precedes the first row is written; that waits until the source is known to answer */
    bool begun;
    bool any;
    int error; /* errno of the first failed write; EPIPE: the reader has gone */
};

/* Each returns false when writing failed, now or before; `error` then says why. */
bool writer_row(struct writer *writer, const struct row *row);
bool writer_begin(struct writer *writer); /* does nothing if begun */
bool writer_flush(struct writer *writer);
bool writer_end(struct writer *writer); /* writes what follows the last row, and flushes */

#endif
