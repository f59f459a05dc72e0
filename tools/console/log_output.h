/* Where the lines of the event log go: to standard output, or batch by batch to a command, which
 * acknowledges a batch by exiting with 0. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_LOG_OUTPUT_H
#define AFORO_TOOLS_CONSOLE_LOG_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#define LOG_OUTPUT_BYTES ((size_t)1 << 20) /* size of a batch; more if one line is longer */

struct log_output {
    const char *command; /* for sh -c; NULL: standard output */
    char *bytes;
    size_t len, cap;
    int error;               /* errno of writing or of a batch; 0: none */
    bool (*wait)(void *cls); /* called before a batch is tried again; false: asked to end */
    void *cls;
};

/* Adds text, which log_output_flush delivers. False when out of memory, see `error`. */
bool log_output_add(struct log_output *output, const char *text, size_t len);

/* Whether the batch has its full size. */
bool log_output_is_full(const struct log_output *output);

/* Delivers the batch. True when standard output has taken all of it, or the command has exited with
 * 0; a command that ends otherwise gets the same batch again. False when the fate of the batch is
 * unknown; `error` says why, and is 0 when it was asked to end. */
bool log_output_flush(struct log_output *output);

/* Frees the batch; what was not flushed is discarded. */
void log_output_close(struct log_output *output);

#endif
