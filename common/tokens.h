/* Bearer tokens (RFC 6750) from a file: who may write, who may read. The set is immutable once
 * read, so any number of threads may read it; server/access/access.h says when aforod frees one.
 * No sentence here repeats a part of a file or of a request: either may be the secret. */
#ifndef AFORO_COMMON_TOKENS_H
#define AFORO_COMMON_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#define TOKENS_MAX 64       /* of one file: a comparison goes through all of them */
#define TOKENS_BYTES_MIN 16 /* shorter ones are guessed */
#define TOKENS_BYTES_MAX 128
#define TOKENS_WHY_MAX 320

struct tokens;

/* One token a line, of A-Z a-z 0-9 - . _ ~ + / and = at the end; blanks around it, empty lines and
 * lines that begin with # are skipped. NULL with `why` (TOKENS_WHY_MAX) filled, naming the line,
 * when a line is not of that form, there is none or too many, or memory is out. The caller frees.
 * Pure. */
struct tokens *tokens_parse(const char *text, size_t len, char *why);

/* The same of a file, which must be a regular one and not writable by everybody. *world_readable
 * (may be NULL): everybody on this machine may read it. NULL with `why` filled, which names the
 * path. */
struct tokens *tokens_read(const char *path, bool *world_readable, char *why);

void tokens_free(struct tokens *tokens); /* NULL is allowed */

size_t tokens_count(const struct tokens *tokens);

/* The i-th token of the file and its length. TOKENS_BYTES_MAX bytes may be read: behind the token
 * they are zeros. */
const char *tokens_text(const struct tokens *tokens, size_t i, size_t *len);

#endif
