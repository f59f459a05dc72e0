#include "redis/url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decodes text[0..len) into out; false when it is broken or too long. */
static bool decode(const char *text, size_t len, char out[REDIS_URL_PART_MAX]) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            if (i + 2 >= len || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) {
                return false;
            }
            c = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
            i += 2;
        }
        if (c == '\0' || n + 1 >= REDIS_URL_PART_MAX) {
            return false;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

static bool number(const char *text, int max, int *out) {
    char *end;
    errno = 0;
    const long n = strtol(text, &end, 10);
    *out = (int)n;
    return *text >= '0' && *text <= '9' && *end == '\0' && !errno && n <= max;
}

static bool refuse(char *why, const char *sentence) {
    snprintf(why, REDIS_URL_WHY_MAX, "%s (as redis://[user:pass@]host[:port][/db] or unix:///path[?db=N])", sentence);
    return false;
}

static bool take_password(struct redis_url *url, char *why) {
    const char *given = getenv("AFORO_REDIS_PASSWORD");
    const char *path = getenv("AFORO_REDIS_PASSWORD_FILE");
    if (*url->password) {
        return true;
    }
    if (given && *given) {
        if (strlen(given) >= sizeof url->password) {
            return refuse(why, "AFORO_REDIS_PASSWORD is too long");
        }
        snprintf(url->password, sizeof url->password, "%s", given);
        return true;
    }
    if (!path || !*path) {
        return true;
    }
    FILE *file = fopen(path, "re");
    if (!file || !fgets(url->password, sizeof url->password, file)) {
        snprintf(why, REDIS_URL_WHY_MAX, "AFORO_REDIS_PASSWORD_FILE: cannot read %.120s: %s", path,
                 file ? "it is empty" : strerror(errno));
        if (file) {
            fclose(file);
        }
        return false;
    }
    fclose(file);
    url->password[strcspn(url->password, "\r\n")] = '\0';
    return true;
}

static bool parse_unix(const char *text, struct redis_url *url, char *why) {
    const char *query = strchr(text, '?');
    const size_t len = query ? (size_t)(query - text) : strlen(text);
    if (*text != '/' || len >= sizeof url->path) {
        return refuse(why, "the socket's path must begin with / and be shorter");
    }
    memcpy(url->path, text, len);
    if (query && (strncmp(query, "?db=", 4) != 0 || !number(query + 4, 1 << 20, &url->db))) {
        return refuse(why, "after ? only db=N may stand");
    }
    snprintf(url->address, sizeof url->address, "unix://%s", url->path);
    return take_password(url, why);
}

/* host, host:port, [::1]:port */
static bool parse_host(char *text, struct redis_url *url, char *why) {
    char *port = NULL;
    char *host = text;
    if (*text == '[') {
        char *close = strchr(text, ']');
        if (!close || (close[1] && close[1] != ':')) {
            return refuse(why, "the bracket of the address is not closed");
        }
        port = close[1] ? close + 2 : NULL;
        *close = '\0';
        host++;
    } else if ((port = strchr(text, ':')) != NULL) {
        *port++ = '\0';
    }
    url->port = 6379;
    if (!*host || (port && (!number(port, 65535, &url->port) || url->port == 0))) {
        return refuse(why, !*host ? "the host is missing" : "the port is not a number from 1 to 65535");
    }
    snprintf(url->host, sizeof url->host, "%s", host);
    snprintf(url->address, sizeof url->address, strchr(host, ':') ? "[%s]:%d" : "%s:%d", url->host, url->port);
    return true;
}

bool redis_url_parse(const char *text, struct redis_url *url, char *why) {
    *url = (struct redis_url){0};
    if (strncmp(text, "unix://", 7) == 0) {
        return parse_unix(text + 7, url, why);
    }
    if (strncmp(text, "redis://", 8) != 0) {
        return refuse(why, "the URL begins with neither redis:// nor unix://");
    }
    char rest[2 * REDIS_URL_PART_MAX];
    if (snprintf(rest, sizeof rest, "%s", text + 8) >= (int)sizeof rest) {
        return refuse(why, "the URL is too long");
    }
    char *authority = rest;
    char *slash = strchr(rest, '/');
    if (slash) {
        *slash++ = '\0';
        if (*slash && !number(slash, 1 << 20, &url->db)) {
            return refuse(why, "the database is not a number");
        }
    }
    char *at = strrchr(rest, '@');
    if (at) {
        char *colon = memchr(rest, ':', (size_t)(at - rest));
        char *end = colon ? colon : at;
        if (!decode(rest, (size_t)(end - rest), url->user) ||
            (colon && !decode(colon + 1, (size_t)(at - colon - 1), url->password))) {
            return refuse(why, "user or password is not percent-encoded as it should be");
        }
        authority = at + 1;
    }
    if (strlen(authority) >= sizeof url->host) {
        return refuse(why, "the host is too long");
    }
    return parse_host(authority, url, why) && take_password(url, why);
}
