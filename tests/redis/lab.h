/* Real redis-server processes for the tests: each on free loopback ports, in a directory of its
 * own, gone with the test that started them. Every wait is bounded; what cannot be had fails the
 * test with its reason. */
#ifndef AFORO_TESTS_REDIS_LAB_H
#define AFORO_TESTS_REDIS_LAB_H

#include <check.h>
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LAB_PATH_MAX 256
#define LAB_SETTINGS_MAX 1024

struct lab_server {
    pid_t pid; /* 0: not running */
    int port, bus_port;
    bool sentinel;
    char dir[LAB_PATH_MAX];
    char settings[LAB_SETTINGS_MAX]; /* redis.conf, besides what every server has */
    char password[64];               /* for our own commands; empty: none */
    redisContext *control;
};

/* Runs all tests of it, in a directory that is made before and removed after them; main's exit
 * status. */
int lab_run(Suite *suite);

/* Starts a server with these lines of redis.conf (NULL: none) on ports that were free, and waits
 * until it answers. */
void lab_start(struct lab_server *server, const char *settings);
void lab_start_sentinel(struct lab_server *server, const char *settings);
/* The same server again, on the same port and directory. */
void lab_restart(struct lab_server *server);
void lab_kill(struct lab_server *server);
void lab_signal(const struct lab_server *server, int signal);

/* A command and its reply (printf as hiredis has it); freed by the caller. Fails the test when none
 * comes. */
redisReply *lab_command(struct lab_server *server, const char *format, ...);
/* The same, and nothing but success will do. */
void lab_do(struct lab_server *server, const char *format, ...);
/* The same, for an integer, or a string that holds one; 0 for nil. */
long long lab_number(struct lab_server *server, const char *format, ...);
/* The same, for a string, cut to cap. */
void lab_text(struct lab_server *server, char *buf, size_t cap, const char *format, ...);

int lab_free_port(void);
int64_t lab_now_ms(void);
void lab_sleep_ms(int64_t ms);

/* A proxy before a server, which can lose replies: commands pass, answers do not. One connection at
 * a time. */
struct lab_proxy;
struct lab_proxy *lab_proxy_start(int to_port, int *port);
void lab_proxy_lose_replies(struct lab_proxy *proxy, bool lose);
void lab_proxy_stop(struct lab_proxy *proxy);

#endif
