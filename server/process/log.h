/* The log: logfmt on stderr, one write per line: time=... level=... msg="..." key=value. Any
 * thread. */
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

/* Whether lines of that level are written, for a caller that would look something up only to log
 * it. */
bool log_is_on(enum log_level level);

/* Writes a line. `msg` is its constant sentence; format and arguments give the rest, already in
 * key=value form (may be ""). Values that may contain blanks or quotes must go through
 * log_quote. */
__attribute__((format(printf, 3, 4))) void log_line(enum log_level level, const char *msg,
                                                    const char *format, ...);

/* Writes `value` to buf (cap bytes) in quotes, with quotes, backslashes, and what is not UTF-8 or
 * could change how a terminal shows the line (utf8_visible) escaped; cut if necessary, never in the
 * middle of a character. Returns buf. */
const char *log_quote(const char *value, char *buf, size_t cap);

/* Writes the address and port of a client to buf (LOG_ADDRESS_MAX bytes), "127.0.0.1:4711" or
 * "[::1]:4711"; "?" when they are unknown. Returns buf. */
#define LOG_ADDRESS_MAX 64
const char *log_address(const struct sockaddr *address, char *buf);

/* Limits how often one thread logs something that could flood the log. All zeros at the
 * beginning. */
struct log_limit {
    int64_t since_us;
    unsigned said;
    uint64_t left_out;
};

/* Whether a line may be written; `most` are allowed per period_us. now_us: steady clock. */
bool log_limit_admits(struct log_limit *limit, int64_t now_us, int64_t period_us, unsigned most);

/* How many lines were left out in a period that is over, reported once; else 0. */
uint64_t log_limit_left_out(struct log_limit *limit, int64_t now_us, int64_t period_us);

/* One line per period for all threads, which says how often something happened. All zeros at the
 * beginning. */
struct log_digest {
    _Atomic int64_t next_us;
    _Atomic uint64_t n;
};

/* Notes that it happened n more times; n 0 only checks. If a line is due, returns how often it
 * happened since the last one; else 0. now_us: steady clock. Any thread. */
uint64_t log_digest_add(struct log_digest *digest, uint64_t n, int64_t now_us, int64_t period_us);

#endif
