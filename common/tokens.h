/* Bearer tokens (RFC 6750) read from a file: who may write, who may read. A set is immutable once
 * read, so any number of threads may use it; server/access/access.h says when aforod frees one. No
 * message here quotes a part of a file or of a request: either may be the secret. */
#ifndef AFORO_COMMON_TOKENS_H
#define AFORO_COMMON_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#define TOKENS_MAX 64       /* in one file; a comparison goes through all of them */
#define TOKENS_BYTES_MIN 16 /* a shorter one could be guessed */
#define TOKENS_BYTES_MAX 128
#define TOKENS_WHY_MAX 320

struct tokens;

/* Parses one token a line, made of A-Z a-z 0-9 - . _ ~ + / with = allowed at the end. Blanks around
 * a token, empty lines and lines that begin with # are skipped. Returns NULL and fills `why`
 * (TOKENS_WHY_MAX), naming the line, when a line is malformed, when there are no tokens or too
 * many, or when memory runs out. The caller frees the result with tokens_free. Pure. */
struct tokens *tokens_parse(const char *text, size_t len, char *why);

/* The same for a file, which must be a regular file that is not writable by everybody.
 * *world_readable (may be NULL) is set when everybody on this machine may read it. NULL fills
 * `why`, which names the path. */
struct tokens *tokens_read(const char *path, bool *world_readable, char *why);

void tokens_free(struct tokens *tokens); /* NULL is allowed */

/* How many tokens the set has: 1 .. TOKENS_MAX. */
size_t tokens_count(const struct tokens *tokens);

/* The i-th token of the file and its length, i < tokens_count. The set owns the text, which is
 * padded with zeros so that TOKENS_BYTES_MAX bytes may be read. */
const char *tokens_text(const struct tokens *tokens, size_t i, size_t *len);

#endif
