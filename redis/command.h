/* A Redis command as a list of words. */
#ifndef AFORO_REDIS_COMMAND_H
#define AFORO_REDIS_COMMAND_H

#include <stddef.h>

#define REDIS_PIPELINE_MAX 256 /* most queued commands whose replies are not fetched yet */

/* The words belong to the caller and must stay valid only during the call that takes the
 * command. */
struct redis_command {
    int argc;
    const char **argv; /* [argc] words; not NUL-terminated, any bytes */
    const size_t *lens;
    int key_at; /* index of the word that is the key: it selects the cluster node */
};

#endif
