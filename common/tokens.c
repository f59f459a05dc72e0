#include "common/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX (64 * 1024)

struct token {
    char bytes[TOKENS_BYTES_MAX]; /* padded with zeros */
    size_t len;
};

struct tokens {
    size_t n;
    struct token token[TOKENS_MAX];
};

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/* RFC 6750's b64token. */
static bool is_token(const char *bytes, size_t len) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
    size_t i = 0;
    while (i < len && bytes[i] && strchr(letters, bytes[i])) {
        i++;
    }
    const bool begun = i > 0;
    while (i < len && bytes[i] == '=') {
        i++;
    }
    return begun && i == len;
}

/* Reads one line without its end; false fills `why`: it is neither a token nor to be skipped. */
static bool read_token_line(struct tokens *tokens, const char *line, size_t len, unsigned number,
                            char *why) {
    while (len && is_blank(line[len - 1])) {
        len--;
    }
    while (len && is_blank(*line)) {
        line++;
        len--;
    }
    if (!len || *line == '#') {
        return true;
    }
    if (!is_token(line, len)) {
        snprintf(why, TOKENS_WHY_MAX,
                 "line %u is not a token (A-Z a-z 0-9 - . _ ~ + / and = at the end)", number);
    } else if (len < TOKENS_BYTES_MIN || len > TOKENS_BYTES_MAX) {
        snprintf(why, TOKENS_WHY_MAX,
                 "line %u: a token has %d to %d characters (openssl rand -hex 32 makes one)",
                 number, TOKENS_BYTES_MIN, TOKENS_BYTES_MAX);
    } else if (tokens->n == TOKENS_MAX) {
        snprintf(why, TOKENS_WHY_MAX, "line %u: more than %d tokens", number, TOKENS_MAX);
    } else {
        tokens->token[tokens->n].len = len;
        memcpy(tokens->token[tokens->n++].bytes, line, len);
        return true;
    }
    return false;
}

struct tokens *tokens_parse(const char *text, size_t len, char *why) {
    struct tokens *tokens = calloc(1, sizeof *tokens);
    if (!tokens) {
        snprintf(why, TOKENS_WHY_MAX, "out of memory");
        return NULL;
    }
    for (unsigned number = 1; len; number++) {
        const char *end = memchr(text, '\n', len);
        const size_t size = end ? (size_t)(end - text) : len;
        if (!read_token_line(tokens, text, size, number, why)) {
            tokens_free(tokens);
            return NULL;
        }
        text += size + (end != NULL);
        len -= size + (end != NULL);
    }
    if (!tokens->n) {
        snprintf(why, TOKENS_WHY_MAX,
                 "there is no token in it: every request that needs one would be refused");
        tokens_free(tokens);
        return NULL;
    }
    return tokens;
}

/* -1 fills `why`: it cannot be opened or may not be a token file. */
static int open_file(const char *path, bool *world_readable, char *why) {
    /* O_NONBLOCK: opening a pipe without a writer must not block. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat is;
    if (fd < 0 || fstat(fd, &is)) {
        snprintf(why, TOKENS_WHY_MAX, "%.160s: %s", path, strerror(errno));
    } else if (!S_ISREG(is.st_mode)) {
        snprintf(why, TOKENS_WHY_MAX, "%.160s: is not a regular file", path);
    } else if (is.st_mode & S_IWOTH) {
        snprintf(why, TOKENS_WHY_MAX,
                 "%.160s: everybody may write to it; chmod o-w it, and make new tokens", path);
    } else if (is.st_size > FILE_BYTES_MAX) {
        snprintf(why, TOKENS_WHY_MAX, "%.160s: is larger than %d bytes", path, FILE_BYTES_MAX);
    } else {
        if (world_readable) {
            *world_readable = is.st_mode & S_IROTH;
        }
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

struct tokens *tokens_read(const char *path, bool *world_readable, char *why) {
    const int fd = open_file(path, world_readable, why);
    if (fd < 0) {
        return NULL;
    }
    char text[FILE_BYTES_MAX], said[TOKENS_WHY_MAX];
    size_t len = 0;
    ssize_t got;
    while (len < sizeof text && (got = read(fd, text + len, sizeof text - len)) > 0) {
        len += (size_t)got;
    }
    close(fd);
    struct tokens *tokens = tokens_parse(text, len, said);
    explicit_bzero(text, sizeof text);
    if (!tokens) {
        snprintf(why, TOKENS_WHY_MAX, "%.160s: %.140s", path, said);
    }
    return tokens;
}

void tokens_free(struct tokens *tokens) {
    if (tokens) {
        explicit_bzero(tokens, sizeof *tokens);
        free(tokens);
    }
}

size_t tokens_count(const struct tokens *tokens) {
    return tokens->n;
}

const char *tokens_text(const struct tokens *tokens, size_t i, size_t *len) {
    *len = tokens->token[i].len;
    return tokens->token[i].bytes;
}
