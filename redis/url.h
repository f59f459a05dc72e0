/* Where Redis is: a URL -> its parts. Pure but for the password's sources; before the threads start.
 *
 *   redis://[user:pass@]host[:port][/db]      unix:///path[?db=N] */
#ifndef AFORO_REDIS_URL_H
#define AFORO_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>

#define REDIS_URL_WHY_MAX 256
#define REDIS_URL_PART_MAX 256

struct redis_url {
    char host[REDIS_URL_PART_MAX]; /* empty for a Unix socket */
    int port;
    char path[REDIS_URL_PART_MAX]; /* of a Unix socket */
    char user[REDIS_URL_PART_MAX];
    char password[REDIS_URL_PART_MAX];
    int db;
    char address[REDIS_URL_PART_MAX + 32]; /* for logs and messages: without user and password */
};

/* Parses text; user and password may be percent-encoded. Without a password in it, AFORO_REDIS_PASSWORD is taken, else the
 * first line of the file that AFORO_REDIS_PASSWORD_FILE names: neither shows in `ps`. False fills why
 * (REDIS_URL_WHY_MAX), which never holds the password. */
bool redis_url_parse(const char *text, struct redis_url *url, char *why);

#endif
