/* What a line of POST /events costs from bytes to event times, beside what nobody can go below:
 * finding the line ends with memchr, and copying the bytes. CPU time of this thread, best of
 * several rounds; the ratios are what to compare between machines. Every run checks that it got all
 * events. */
#include "ingest/lines.h"
#include "ingest/form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define READ_LEN ((size_t)32 * 1024)
#define BODY_LINES 4096 /* of 27 bytes: 108 KiB, stays in the second level cache */
#define LINE_MAX 40
#define ROUNDS 15
#define REPEATS 200

static char body[BODY_LINES * LINE_MAX];
static char copy[BODY_LINES * LINE_MAX];
static struct timestamp_layouts known;
static uint64_t us_sum; /* wraps; only keeps the compiler from leaving the work out */

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct layout {
    const char *name;
    size_t (*line)(char *out, unsigned i);
};

static size_t line_in_order(char *out, unsigned i) {
    return (size_t)sprintf(out, "2016-05-28 11:11:%02u.%06u\n", i / 100 % 60, i * 97 % 1000000);
}

static size_t line_scattered(char *out, unsigned i) {
    const unsigned s = i * 2654435761u % 86400;
    return (size_t)sprintf(out, "2016-05-28 %02u:%02u:%02u.%06u\n", s / 3600, s / 60 % 60, s % 60,
                           i * 97 % 1000000);
}

static size_t line_two_days(char *out, unsigned i) {
    const unsigned late = (i * 2654435761u >> 16) & 1; /* around midnight, out of order */
    return (size_t)sprintf(out, "2016-05-%u %s.%06u\n", 28 + late, late ? "00:00:00" : "23:59:59",
                           i * 97 % 1000000);
}

static size_t line_crlf(char *out, unsigned i) {
    return (size_t)sprintf(out, "2016-05-28 11:11:%02u.%06u\r\n", i / 100 % 60, i * 97 % 1000000);
}

static size_t line_z(char *out, unsigned i) {
    return (size_t)sprintf(out, "2016-05-28T11:11:%02u.%06uZ\n", i / 100 % 60, i * 97 % 1000000);
}

static size_t line_ms(char *out, unsigned i) {
    return (size_t)sprintf(out, "2016-05-28 11:11:%02u.%03u\n", i / 100 % 60, i % 1000);
}

static size_t line_offset(char *out, unsigned i) {
    return (size_t)sprintf(out, "2016-05-28T12:11:%02u.%06u+01:00\n", i / 100 % 60,
                           i * 97 % 1000000);
}

static size_t line_epoch_us(char *out, unsigned i) {
    return (size_t)sprintf(out, "14644338%02u%06u\n", i / 100 % 60, i * 97 % 1000000);
}

static size_t line_ms_offset(char *out, unsigned i) {
    return (size_t)sprintf(out, "2016-05-28T12:11:%02u.%03u+0100\n", i / 100 % 60, i % 1000);
}

static size_t line_ns(char *out, unsigned i) {
    return (size_t)sprintf(out, "2016-05-28T11:11:%02u.%06u789Z\n", i / 100 % 60, i * 97 % 1000000);
}

static size_t line_whole(char *out, unsigned i) {
    return (size_t)sprintf(out, "2016-05-28T11:11:%02uZ\n", i / 100 % 60);
}

static size_t line_epoch_s(char *out, unsigned i) {
    return (size_t)sprintf(out, "14644338%02u\n", i / 100 % 60);
}

static size_t line_epoch_fraction(char *out, unsigned i) {
    return (size_t)sprintf(out, "14644338%02u.%06u\n", i / 100 % 60, i * 97 % 1000000);
}

static size_t line_epoch_ms(char *out, unsigned i) {
    return (size_t)sprintf(out, "14644338%02u%03u\n", i / 100 % 60, i % 1000);
}

static size_t line_epoch_ns(char *out, unsigned i) {
    return (size_t)sprintf(out, "14644338%02u%06u789\n", i / 100 % 60, i * 97 % 1000000);
}

/* No line as the one before, in no order that repeats soon. */
static size_t line_mixed(char *out, unsigned i) {
    static size_t (*const lines[])(char *, unsigned) = {line_in_order, line_z,       line_ms,
                                                        line_offset,   line_epoch_s, line_epoch_ms};
    return lines[(i * 2654435761u >> 20) % 6](out, i);
}

static size_t fill(const struct layout *layout) {
    size_t len = 0;
    for (unsigned i = 0; i < BODY_LINES; i++) {
        len += layout->line(body + len, i);
    }
    return len;
}

static size_t parse(size_t len, size_t step, bool by_window) {
    struct lines lines;
    struct lines_batch batch;
    size_t events = 0;
    lines_begin(&lines, &known);
    lines.by_window = by_window;
    for (size_t start = 0; start < len; start += step) {
        const size_t end = len - start < step ? len : start + step;
        for (size_t at = start; at < end;) {
            at += lines_feed(&lines, body + at, end - at, &batch);
            for (uint32_t i = 0; i < batch.n; i++) {
                us_sum += (uint64_t)batch.us[i]; /* what a caller does at the least: look at each */
            }
            events += batch.n;
            for (uint32_t i = 0; batch.has_windows && i < batch.n; i++) {
                events += batch.times[i] - 1U;
            }
        }
    }
    return events;
}

/* The whole body in reads of `step` bytes, which cut lines where they fall; returns the events. */
static size_t parse_body(size_t len, size_t step) {
    return parse(len, step, false);
}

/* The same for who counts windows alone, as aforod does without reports. */
static size_t parse_windows(size_t len, size_t step) {
    return parse(len, step, true);
}

static size_t line_10000_a_s(char *out, unsigned i) {
    return (size_t)sprintf(out, "2016-05-28 11:11:%02u.%06u\n", i / 10000 % 60, i % 10000 * 100);
}

static size_t plain_body(size_t len, size_t step) {
    (void)step;
    size_t events = 0;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(body + at, '\n', len - at);
        struct timestamp_error error;
        int64_t us = 0;
        events += timestamp_parse_plain(body + at, (size_t)(end - (body + at)), &us, &error);
        us_sum += (uint64_t)us;
        at = (size_t)(end - body) + 1;
    }
    return events;
}

static size_t scan_body(size_t len, size_t step) {
    (void)step;
    size_t events = 0;
    for (size_t at = 0; at < len; events++) {
        const char *end = memchr(body + at, '\n', len - at);
        at = (size_t)(end - body) + 1;
    }
    return events;
}

static size_t copy_body(size_t len, size_t step) {
    for (size_t at = 0; at < len; at += step) {
        memcpy(copy + at, body + at, len - at < step ? len - at : step);
    }
    __asm__ volatile("" ::: "memory"); /* the copy is wanted */
    return BODY_LINES;
}

static size_t form_body(size_t len, size_t step) {
    (void)step;
    size_t events = 0;
    for (size_t at = 0; at < len; at += 32) {
        char why[FORM_WHY_MAX];
        int64_t us;
        events += form_parse(body + at, 32, &us, why) == FORM_EVENT;
        us_sum += (uint64_t)us;
    }
    return events;
}

static size_t form_record(char *out, unsigned i) {
    return (size_t)sprintf(out, "value=2016-05-28 11:11:%02u.%06u", i / 100 % 60, i * 97 % 1000000);
}

static double measure_ns(size_t (*work)(size_t, size_t), size_t len, size_t step) {
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        const double start = now_ns();
        for (int i = 0; i < REPEATS; i++) {
            if (work(len, step) != BODY_LINES) {
                fprintf(stderr, "bench/lines: not every line gave an event\n");
                exit(EXIT_FAILURE);
            }
        }
        const double ns = (now_ns() - start) / REPEATS / BODY_LINES;
        best = ns < best ? ns : best;
    }
    return best;
}

static void print_row(const char *name, double ns, double scan_ns) {
    printf("| %-40s | %7.2f | %8.1f | %6.2f |\n", name, ns, 1e3 / ns, ns / scan_ns);
}

int main(void) {
    static const struct layout layouts[] = {
        {"blank, 6 digits, in order", line_in_order},
        {"scattered over the day", line_scattered},
        {"two days mixed", line_two_days},
        {"with CRLF", line_crlf},
        {"with T and Z", line_z},
        {"3 digits", line_ms},
        {"T, no fraction, Z", line_whole},
        {"T, 9 digits, Z", line_ns},
        {"T, 6 digits and an offset", line_offset},
        {"T, 3 digits and an offset", line_ms_offset},
        {"epoch in s", line_epoch_s},
        {"epoch in s with 6 digits", line_epoch_fraction},
        {"epoch in ms", line_epoch_ms},
        {"epoch in us", line_epoch_us},
        {"epoch in ns", line_epoch_ns},
        {"six layouts mixed at random", line_mixed},
    };
    const size_t len = fill(&layouts[0]);
    const double scan_ns = measure_ns(scan_body, len, READ_LEN);
    printf("| %-40s | ns/line | M line/s | x scan |\n|---|---|---|---|\n",
           "27-byte lines, reads of 32 KiB");
    print_row("memcpy only", measure_ns(copy_body, len, READ_LEN), scan_ns);
    print_row("memchr for line ends only", scan_ns, scan_ns);
    print_row("memchr + plain parser", measure_ns(plain_body, len, READ_LEN), scan_ns);
    print_row("lines_feed, reads of 4 KiB", measure_ns(parse_body, len, 4096), scan_ns);
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "lines_feed, %s", layouts[i].name);
        print_row(name, measure_ns(parse_body, fill(&layouts[i]), READ_LEN), scan_ns);
    }
    const struct layout often = {"10,000 a s", line_10000_a_s};
    print_row("by window, 10,000 lines a s, in order",
              measure_ns(parse_windows, fill(&often), READ_LEN), scan_ns);
    print_row("by window, scattered over the day",
              measure_ns(parse_windows, fill(&layouts[1]), READ_LEN), scan_ns);
    const struct layout form = {"form", form_record};
    print_row("form_parse, 32-byte body", measure_ns(form_body, fill(&form), READ_LEN), scan_ns);
    return us_sum == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
