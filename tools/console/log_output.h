/* Where the lines of the event log go: to standard output, or, batch by batch, to a command, which
 * acknowledges a batch by ending with 0. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_LOG_OUTPUT_H
#define AFORO_TOOLS_CONSOLE_LOG_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#define LOG_OUTPUT_BYTES ((size_t)1 << 20) /* of a batch; more when one line is longer */

struct log_output {
    const char *command; /* for sh -c; NULL: standard output */
    char *bytes;
    size_t len, cap;
    int error;               /* errno of standard output, of the batch; 0: none */
    bool (*wait)(void *cls); /* before a batch is tried again; false: asked to end */
    void *cls;
};

/* Adds text; it is not given out before log_output_flush. False when out of memory: error. */
bool log_output_add(struct log_output *output, const char *text, size_t len);

/* Whether the batch is as long as one should be. */
bool log_output_is_full(const struct log_output *output);

/* Gives the batch out. True: standard output has taken all of it, or the command has ended with 0;
 * a command that ends otherwise is given the same batch again. False: it is not known what has
 * become of it; error, or 0 when it was asked to end. */
bool log_output_flush(struct log_output *output);

void log_output_close(struct log_output *output);

#endif
