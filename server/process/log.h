/* Logfmt on stderr, one write a line: time=... level=... msg="..." key=value. Any thread. */
#ifndef AFORO_SERVER_PROCESS_LOG_H
#define AFORO_SERVER_PROCESS_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines above this level are not written. Before the threads start. */
void log_set_level(enum log_level level);

/* Whether lines of that level are written: for who would have to look something up only to tell it.
 */
bool log_is_on(enum log_level level);

/* `msg` is the line's constant sentence; format and arguments give the rest, already in key=value
 * form (may be ""). Values that may hold blanks or quotes go through log_quote. */
__attribute__((format(printf, 3, 4))) void log_line(enum log_level level, const char *msg,
                                                    const char *format, ...);

/* Writes `value` in quotes, with quotes, backslashes and non-printable bytes escaped, cut to cap;
 * returns buf. */
const char *log_quote(const char *value, char *buf, size_t cap);

/* The address and port of a client, "127.0.0.1:4711" or "[::1]:4711"; returns buf
 * (LOG_ADDRESS_MAX). */
#define LOG_ADDRESS_MAX 64
const char *log_address(const struct sockaddr *address, char *buf);

/* Holds back what would fill the log: of one thread; zeros to begin with. */
struct log_limit {
    int64_t since_us;
    unsigned said;
    uint64_t left_out;
};

/* Whether a line may be written, of which there may be `most` in period_us. Steady clock. */
bool log_limit_admits(struct log_limit *limit, int64_t now_us, int64_t period_us, unsigned most);

/* How many were left out in a period that is over, told once; else 0. */
uint64_t log_limit_left_out(struct log_limit *limit, int64_t now_us, int64_t period_us);

/* One line a period for all threads, that says how often it happened; zeros to begin with. */
struct log_digest {
    _Atomic int64_t next_us;
    _Atomic uint64_t n;
};

/* It happened n times more (or 0: only look). When a line is due: how often it happened since the
 * last one; else 0. Steady clock. Any thread. */
uint64_t log_digest_add(struct log_digest *digest, uint64_t n, int64_t now_us, int64_t period_us);

#endif
