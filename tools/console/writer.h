/* Rows -> standard output, in the asked format, telling apart a reader that went away from a disk
 * that is full. */
#ifndef AFORO_TOOLS_CONSOLE_WRITER_H
#define AFORO_TOOLS_CONSOLE_WRITER_H

#include "view/windows.h"

#include <stdio.h>

struct writer {
    FILE *out;
    struct rows_form form;
    /* what stands before the first row is out: not before it is known that the source answers */
    bool begun;
    bool any;
    int error; /* errno of the first write that failed; EPIPE: nobody reads any more */
};

/* Each: false when writing failed (then `error` says why), now or before. */
bool writer_row(struct writer *writer, const struct row *row);
bool writer_begin(struct writer *writer); /* no-op when begun */
bool writer_flush(struct writer *writer);
bool writer_end(struct writer *writer); /* what stands after the last row; flushes */

#endif
