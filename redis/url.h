/* Where Redis is: parses a URL. Pure except for the password's sources; to be called before the
 * threads start.
 *
 *   redis://[user:pass@]host[:port][/db]                       one server
 *   unix:///path[?db=N]                                        one server on this machine
 *   redis+sentinel://[user:pass@]host[:port],.../master[/db]   the master that Sentinel names
 *   redis+cluster://[user:pass@]host[:port],...                a cluster, by some of its nodes
 *   rediss://, rediss+sentinel://, rediss+cluster://           the same with TLS on all connections
 *
 * IPv6 addresses are written in brackets. User and password may be percent-encoded, and must be if
 * they contain one of : / ? # @ %. */
#ifndef AFORO_REDIS_URL_H
#define AFORO_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>

#define REDIS_URL_WHY_MAX 256
#define REDIS_URL_PART_MAX 256
#define REDIS_URL_HOSTS_MAX 16
#define REDIS_ADDRESS_MAX (REDIS_URL_PART_MAX + 16)

enum redis_url_kind { REDIS_URL_SERVER, REDIS_URL_SENTINEL, REDIS_URL_CLUSTER };

struct redis_host {
    char name[REDIS_URL_PART_MAX];
    int port; /* 1..65535 */
};

/* What is checked of a server's certificate, in the order of the words of --redis-tls-verify. */
enum redis_tls_verify { REDIS_TLS_VERIFY_FULL, REDIS_TLS_VERIFY_CA, REDIS_TLS_VERIFY_OFF };

/* The options --redis-tls-...; their strings must outlive all links. NULL or "": not given. */
struct redis_tls_options {
    const char *ca;   /* who may sign the server's certificate (PEM); default: the system's CAs */
    const char *cert; /* our certificate and its chain (PEM), and its key; both or neither */
    const char *key;
    const char *name; /* expected name, and SNI; default: the host connected to */
    unsigned verify;  /* enum redis_tls_verify */
};

struct redis_url {
    enum redis_url_kind kind;
    bool tls;
    struct redis_tls_options tls_options; /* not in the text: set by callers that have options */
    /* the server, the sentinels or some nodes of the cluster */
    struct redis_host host[REDIS_URL_HOSTS_MAX];
    /* 0 for a Unix socket, else 1..REDIS_URL_HOSTS_MAX */
    unsigned hosts;
    char path[REDIS_URL_PART_MAX]; /* of a Unix socket; else empty */
    /* the name that Sentinel knows the master by; else empty */
    char master[REDIS_URL_PART_MAX];
    char user[REDIS_URL_PART_MAX];
    char password[REDIS_URL_PART_MAX];
    int db;
    char address[REDIS_URL_PART_MAX * 2]; /* for logs and messages: without user and password */
};

/* Parses `text`. When it has no password, AFORO_REDIS_PASSWORD is used, or else the first line of
 * the file that AFORO_REDIS_PASSWORD_FILE names: neither shows in `ps`. False fills `why`
 * (REDIS_URL_WHY_MAX), which quotes nothing of the text: after a misplaced character the password
 * may be anywhere in it. */
bool redis_url_parse(const char *text, struct redis_url *url, char *why);

/* Formats host:port, or [host]:port for IPv6, NUL-terminated. */
void redis_host_render(const struct redis_host *host, char address[REDIS_ADDRESS_MAX]);

#endif
