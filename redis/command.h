/* A command to Redis, as its words. */
#ifndef AFORO_REDIS_COMMAND_H
#define AFORO_REDIS_COMMAND_H

#include <stddef.h>

#define REDIS_PIPELINE_MAX 256 /* commands queued whose replies are not fetched yet */

/* Words belong to the caller, and need to last no longer than the call that takes the command. */
struct redis_command {
    int argc;
    const char **argv; /* [argc] words; not NUL-terminated, any bytes */
    const size_t *lens;
    int key_at; /* the word that is the key: it says to which node of a cluster the command goes */
};

#endif
