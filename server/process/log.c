#include "server/process/log.h"

#include "common/utf8.h"
#include "counters/time/civil.h"
#include "server/process/clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static enum log_level level_max = LOG_INFO;
static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_set_level(enum log_level level) {
    level_max = level;
}

bool log_is_on(enum log_level level) {
    return level <= level_max;
}

void log_line(enum log_level level, const char *msg, const char *format, ...) {
    if (level > level_max) {
        return;
    }
    char line[LINE_MAX_BYTES];
    struct civil now;
    civil_from_us(clock_wall_us(), &now);
    int n = snprintf(
        line, sizeof line, "time=%04d-%02d-%02dT%02d:%02d:%02d.%06dZ level=%s msg=\"%s\"", now.year,
        now.month, now.day, now.hour, now.minute, now.second, now.us, level_names[level], msg);
    if (*format && n < LINE_MAX_BYTES - 2) {
        line[n++] = ' ';
        va_list args;
        va_start(args, format);
        const int more = vsnprintf(line + n, sizeof line - (size_t)n, format, args);
        va_end(args);
        n += more;
    }
    n = n > LINE_MAX_BYTES - 2 ? LINE_MAX_BYTES - 2 : n;
    line[n++] = '\n';
    /* One write, so that lines of several threads do not mix. There is nobody to tell if the log
     * cannot be written. */
    const ssize_t ignored = write(STDERR_FILENO, line, (size_t)n);
    (void)ignored;
}

const char *log_quote(const char *value, char *buf, size_t cap) {
    const char *end = value + strlen(value);
    size_t n = 0;
    buf[n++] = '"';
    while (value < end && n + 6 < cap) {
        if (*value == '"' || *value == '\\') {
            buf[n++] = '\\';
        }
        value += utf8_show(value, (size_t)(end - value), buf + n);
        n += strlen(buf + n);
    }
    buf[n++] = '"';
    buf[n] = '\0';
    return buf;
}

const char *log_address(const struct sockaddr *address, char *buf) {
    char host[INET6_ADDRSTRLEN] = "?";
    if (address && address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(buf, LOG_ADDRESS_MAX, "%s:%u", host, ntohs(in->sin_port));
    } else if (address && address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(buf, LOG_ADDRESS_MAX, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        snprintf(buf, LOG_ADDRESS_MAX, "?");
    }
    return buf;
}

bool log_limit_admits(struct log_limit *limit, int64_t now_us, int64_t period_us, unsigned most) {
    if (now_us - limit->since_us >= period_us && !limit->left_out) {
        limit->since_us = now_us;
        limit->said = 0;
    }
    if (limit->said < most) {
        limit->said++;
        return true;
    }
    limit->left_out++;
    return false;
}

uint64_t log_limit_left_out(struct log_limit *limit, int64_t now_us, int64_t period_us) {
    if (!limit->left_out || now_us - limit->since_us < period_us) {
        return 0;
    }
    const uint64_t left_out = limit->left_out;
    limit->left_out = 0;
    limit->said = 0;
    limit->since_us = now_us;
    return left_out;
}

uint64_t log_digest_add(struct log_digest *digest, uint64_t n, int64_t now_us, int64_t period_us) {
    const uint64_t before = atomic_fetch_add_explicit(&digest->n, n, memory_order_relaxed);
    int64_t next_us = atomic_load_explicit(&digest->next_us, memory_order_relaxed);
    if (before + n == 0 || now_us < next_us ||
        !atomic_compare_exchange_strong_explicit(&digest->next_us, &next_us, now_us + period_us,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        return 0;
    }
    return atomic_exchange_explicit(&digest->n, 0, memory_order_relaxed);
}
