#include "redis/url.h"

#include "common/percent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define TEXT_MAX 4096
#define DB_MAX (1 << 20)
#define PORT_REDIS 6379
#define PORT_SENTINEL 26379

static bool refuse(char *why, const char *sentence) {
    snprintf(why, REDIS_URL_WHY_MAX, "%s", sentence);
    return false;
}

/* Percent-decodes text[0..len) into out; false when it is malformed or too long. */
static bool decode_percent(const char *text, size_t len, char out[REDIS_URL_PART_MAX]) {
    return percent_decode(text, len, out, REDIS_URL_PART_MAX);
}

static bool read_number(const char *text, int max, int *out) {
    char *end;
    errno = 0;
    const long n = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno || n > max) {
        return false;
    }
    *out = (int)n;
    return true;
}

/* ---- the password's other sources ---- */

/* Returns NULL, or why *file could not be opened. A pipe without a writer must not block us. */
static const char *open_regular(const char *path, FILE **file) {
    struct stat is;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *file = NULL;
    if (fd < 0) {
        return strerror(errno);
    }
    if (fstat(fd, &is) || !S_ISREG(is.st_mode)) {
        close(fd);
        return "it is not a regular file";
    }
    *file = fdopen(fd, "r");
    if (!*file) {
        /* cppcheck-suppress doubleFree ; fdopen leaves it open when it fails */
        close(fd);
        return "out of memory";
    }
    return NULL;
}

static bool read_password_file(const char *path, char password[REDIS_URL_PART_MAX], char *why) {
    char line[REDIS_URL_PART_MAX + 1]; /* one byte too many, to detect overlong lines */
    FILE *file = NULL;
    const char *reason = open_regular(path, &file);
    const bool read = file && fgets(line, sizeof line, file);
    if (file) {
        reason = "it is empty";
        fclose(file);
    }
    if (read) {
        line[strcspn(line, "\r\n")] = '\0';
        reason = line[0] ? "its first line is too long" : "its first line is empty";
    }
    if (!read || !line[0] || strlen(line) >= REDIS_URL_PART_MAX) {
        snprintf(why, REDIS_URL_WHY_MAX, "AFORO_REDIS_PASSWORD_FILE: no password in %.120s: %s",
                 path, reason);
        return false;
    }
    memcpy(password, line, strlen(line) + 1);
    return true;
}

static bool take_password(struct redis_url *url, char *why) {
    const char *given = getenv("AFORO_REDIS_PASSWORD");
    const char *path = getenv("AFORO_REDIS_PASSWORD_FILE");
    if (!*url->password && given && *given) {
        if (strlen(given) >= sizeof url->password) {
            return refuse(why, "AFORO_REDIS_PASSWORD is too long");
        }
        memcpy(url->password, given, strlen(given) + 1);
    } else if (!*url->password && path && *path && !read_password_file(path, url->password, why)) {
        return false;
    }
    if (*url->user && !*url->password) {
        return refuse(why, "the URL names a user but no password: write user:password@, or set "
                           "AFORO_REDIS_PASSWORD or AFORO_REDIS_PASSWORD_FILE");
    }
    return true;
}

/* ---- the parts: each is cut out of a copy of the text ---- */

/* Parses one host[:port]. */
static bool parse_host(char *text, int port_default, struct redis_host *host, char *why) {
    char *name = text, *port = NULL;
    if (*text == '[') {
        char *close = strchr(text, ']');
        if (!close || (close[1] && close[1] != ':')) {
            return refuse(
                why, "an IPv6 address of the URL is not closed by ] and then a port or nothing");
        }
        port = close[1] ? close + 2 : NULL;
        *close = '\0';
        name++;
    } else if ((port = strchr(text, ':')) != NULL) {
        *port++ = '\0';
    }
    host->port = port_default;
    if (!*name) {
        return refuse(why, "the URL lacks a host");
    }
    if (port && (!read_number(port, 65535, &host->port) || host->port == 0)) {
        return refuse(why, "a port of the URL is not a number from 1 to 65535 (write an IPv6 "
                           "address as [::1]:6379, and "
                           ": / ? # @ % within a password as %3A %2F %3F %23 %40 %25)");
    }
    if (strlen(name) >= sizeof host->name) {
        return refuse(why, "a host of the URL is too long");
    }
    memcpy(host->name, name, strlen(name) + 1);
    return true;
}

static bool parse_hosts(char *text, struct redis_url *url, char *why) {
    const int port_default = url->kind == REDIS_URL_SENTINEL ? PORT_SENTINEL : PORT_REDIS;
    const unsigned most = url->kind == REDIS_URL_SERVER ? 1 : REDIS_URL_HOSTS_MAX;
    for (char *next = text; next;) {
        char *here = next;
        next = strchr(here, ',');
        if (next) {
            *next++ = '\0';
        }
        if (url->hosts == most) {
            return refuse(why, most == 1 ? "redis:// takes one host (redis+sentinel:// and "
                                           "redis+cluster:// take several)"
                                         : "the URL names more than 16 hosts");
        }
        if (!parse_host(here, port_default, &url->host[url->hosts], why)) {
            return false;
        }
        url->hosts++;
    }
    return true;
}

/* Cuts user:password@ off the start of *rest. It ends at the last @, because a host has none. */
static bool parse_login(char **rest, struct redis_url *url, char *why) {
    char *at = strrchr(*rest, '@');
    if (!at) {
        return true;
    }
    char *colon = memchr(*rest, ':', (size_t)(at - *rest));
    const char *user_end = colon ? colon : at;
    if (!decode_percent(*rest, (size_t)(user_end - *rest), url->user) ||
        (colon && !decode_percent(colon + 1, (size_t)(at - colon - 1), url->password))) {
        return refuse(why, "user or password of the URL is too long, or a % in it is not followed "
                           "by two hex digits");
    }
    *rest = at + 1;
    return true;
}

/* Parses what follows the hosts: /db, /master or /master/db. */
static bool parse_place(char *place, struct redis_url *url, char *why) {
    char *db = place;
    if (url->kind == REDIS_URL_SENTINEL) {
        db = strchr(place, '/');
        const size_t len = db ? (size_t)(db++ - place) : strlen(place);
        if (len == 0 || !decode_percent(place, len, url->master)) {
            return refuse(why, "the URL lacks the master's name after the sentinels: "
                               "redis+sentinel://host:port/master");
        }
    }
    if (!db || !*db) {
        return true;
    }
    if (url->kind == REDIS_URL_CLUSTER) {
        return refuse(why, "a cluster has no database numbers: nothing may stand after the hosts "
                           "of redis+cluster://");
    }
    return read_number(db, DB_MAX, &url->db) ||
           refuse(why, "the database of the URL is not a number");
}

static bool parse_unix(char *rest, struct redis_url *url, char *why) {
    if (*rest != '/') {
        return refuse(why, "unix:// wants an absolute path: unix:///run/redis/redis.sock");
    }
    char *query = strchr(rest, '?');
    if (query) {
        *query++ = '\0';
        if (strncmp(query, "db=", 3) != 0 || !read_number(query + 3, DB_MAX, &url->db)) {
            return refuse(why, "after the path of unix:// only ?db=NUMBER is known");
        }
    }
    if (strlen(rest) >= sizeof((struct sockaddr_un *)0)->sun_path) {
        return refuse(why, "the path of unix:// is longer than a socket's name may be");
    }
    memcpy(url->path, rest, strlen(rest) + 1);
    snprintf(url->address, sizeof url->address, "%s", url->path);
    return true;
}

void redis_host_render(const struct redis_host *host, char address[REDIS_ADDRESS_MAX]) {
    snprintf(address, REDIS_ADDRESS_MAX, strchr(host->name, ':') ? "[%s]:%d" : "%s:%d", host->name,
             host->port);
}

static void render_address(struct redis_url *url) {
    static const char *const kind[] = {[REDIS_URL_SERVER] = "",
                                       [REDIS_URL_SENTINEL] = "sentinel ",
                                       [REDIS_URL_CLUSTER] = "cluster "};
    char first[REDIS_ADDRESS_MAX], others[16] = "";
    redis_host_render(&url->host[0], first);
    if (url->hosts > 1) {
        snprintf(others, sizeof others, " (+%u)", url->hosts - 1);
    }
    snprintf(url->address, sizeof url->address, "%s%s%s%s%.100s", kind[url->kind], first, others,
             *url->master ? " " : "", url->master);
}

static const struct scheme {
    const char *prefix;
    enum redis_url_kind kind;
    bool is_unix, tls;
} schemes[] = {{"redis://", REDIS_URL_SERVER, false, false},
               {"rediss://", REDIS_URL_SERVER, false, true},
               {"unix://", REDIS_URL_SERVER, true, false},
               {"redis+sentinel://", REDIS_URL_SENTINEL, false, false},
               {"rediss+sentinel://", REDIS_URL_SENTINEL, false, true},
               {"redis+cluster://", REDIS_URL_CLUSTER, false, false},
               {"rediss+cluster://", REDIS_URL_CLUSTER, false, true}};

static const struct scheme *find_scheme(const char *text) {
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strncmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) == 0) {
            return &schemes[i];
        }
    }
    return NULL;
}

bool redis_url_parse(const char *text, struct redis_url *url, char *why) {
    *url = (struct redis_url){0};
    const struct scheme *scheme = find_scheme(text);
    if (!scheme) {
        return refuse(why, "the URL begins with none of redis://, unix://, redis+sentinel://, "
                           "redis+cluster://, and rediss for redis with TLS");
    }
    if (strlen(text) >= TEXT_MAX) {
        return refuse(why, "the URL is too long");
    }
    char copy[TEXT_MAX];
    snprintf(copy, sizeof copy, "%s", text + strlen(scheme->prefix));
    char *rest = copy;
    url->kind = scheme->kind;
    url->tls = scheme->tls;
    if (scheme->is_unix) {
        return parse_unix(rest, url, why) && take_password(url, why);
    }
    char *place = strchr(rest, '/');
    if (place) {
        *place++ = '\0';
    }
    char nothing[] = "";
    if (!parse_login(&rest, url, why) || !parse_hosts(rest, url, why) ||
        !parse_place(place ? place : nothing, url, why) || !take_password(url, why)) {
        return false;
    }
    render_address(url);
    return true;
}
