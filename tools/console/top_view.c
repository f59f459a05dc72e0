/* See top_view.h. */
#include "tools/console/top_view.h"

#include "counters/time/civil.h"
#include "tools/console/terminal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 4096
#define SIDE 9 /* columns of the numbers beside the bars */
#define BARS_LEAST 3
#define BOLD "\x1b[1m"
#define DIM "\x1b[2m"
#define BLUE "\x1b[34m"
#define YELLOW "\x1b[33m"
#define RED "\x1b[31m"
#define PLAIN "\x1b[0m"

/* ---- windows ---- */

void top_windows_begin(struct top_windows *windows, enum resolution r) {
    memset(windows, 0, sizeof *windows);
    windows->resolution = r;
    for (size_t i = 0; i < TOP_WINDOWS; i++)
        windows->window[i] = -1;
}

uint64_t top_windows_count(const struct top_windows *windows, int64_t window) {
    const size_t at = (size_t)window % TOP_WINDOWS;
    return windows->window[at] == window ? windows->count[at] : 0;
}

static bool is_late(const struct top_windows *windows, int64_t window) {
    const size_t at = (size_t)window % TOP_WINDOWS;
    return windows->window[at] == window && windows->late[at];
}

uint64_t top_windows_take(struct top_windows *windows, int64_t window, uint64_t count) {
    const size_t at = (size_t)window % TOP_WINDOWS;
    const uint64_t before = top_windows_count(windows, window);
    if (windows->window[at] != window) {
        windows->window[at] = window;
        windows->late[at] = false;
    }
    windows->count[at] = count;
    if (window >= windows->closed_end || count <= before)
        return 0;
    windows->late[at] = true;
    return count - before;
}

/* The first window that counts as open. */
static int64_t first_open(enum resolution r, int64_t now_us) {
    return window_at(r, now_us > TOP_CLOSE_US ? now_us - TOP_CLOSE_US : 0);
}

void top_windows_close(struct top_windows *windows, int64_t now_us) {
    const int64_t open = first_open(windows->resolution, now_us);
    windows->closed_end = open > windows->closed_end ? open : windows->closed_end;
}

/* ---- lines ---- */

/* A screen being written. */
struct page {
    const struct top_screen *screen;
    struct text *text;
    unsigned lines;
};

static const char *paint(const struct page *page, const char *how) {
    return page->screen->colour ? how : "";
}

/* Adds a line, cut to the width of the terminal; its characters are one column wide each. */
static void add_line(struct page *page, const char *how, const char *line) {
    if (page->lines == page->screen->lines)
        return;
    size_t len = 0;
    unsigned columns = 0;
    while (line[len] != '\0' && columns < page->screen->columns) {
        len++;
        while (((unsigned char)line[len] & 0xc0) == 0x80)
            len++;
        columns++;
    }
    text_add_string(page->text, page->lines++ > 0 ? "\n" : "");
    text_add_string(page->text, paint(page, how));
    text_add(page->text, line, len);
    text_add_string(page->text, *how != '\0' ? paint(page, PLAIN) : "");
}

/* 1234567 -> 1,234,567 */
static const char *put_number(uint64_t number, char out[32]) {
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%" PRIu64, number);
    int n = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[n++] = ',';
        out[n++] = digits[i];
    }
    out[n] = '\0';
    return out;
}

static void put_clock(int64_t us, int digits, char out[16]) {
    struct civil t;
    civil_from_us(us, &t);
    snprintf(out, 16, digits ? "%02d:%02d:%02d.%02d" : "%02d:%02d:%02d", (int)t.hour % 24,
             (int)t.minute % 60, (int)t.second % 60, (int)(us % US_PER_S / 10000));
}

/* ---- the figures ---- */

static void add_figures(struct page *page, const struct top_view *view) {
    char line[LINE_MAX_BYTES], safe[256], number[32], late[32], nodes[160] = "";
    uint64_t received = 0, refused = 0;
    int64_t lag_ms = 0;
    unsigned here = 0;
    for (unsigned i = 0; i < view->nodes; i++) {
        const struct node_view *node = &view->node[i];
        received += node->received;
        refused += nodes_refused(node);
        here += !node->gone;
        lag_ms = !node->gone && node->lag_ms > lag_ms ? node->lag_ms : lag_ms;
    }
    const uint64_t asked = received - view->received_first;
    if (view->has_nodes && !view->away)
        snprintf(nodes, sizeof nodes, "   refused %.2f %%   lag %" PRId64 " ms   %u of %u nodes",
                 asked > 0 && received >= view->received_first && refused >= view->refused_first
                     ? 100.0 * (double)(refused - view->refused_first) / (double)asked
                     : 0.0,
                 lag_ms, here, view->nodes_in_all);
    snprintf(line, sizeof line, "aforo top%s   %s/s   late %s%s   %s",
             view->paused ? "   paused" : "", view->away ? "-" : put_number(view->rate, number),
             put_number(view->late, late), nodes, terminal_safe(view->place, safe, sizeof safe));
    add_line(page, BOLD, line);
}

static void add_status(struct page *page, const struct top_view *view) {
    char line[LINE_MAX_BYTES], safe[SOURCE_WHY_MAX * 2], clock[16] = "never";
    if (!view->away) {
        add_line(page, "", "");
        return;
    }
    if (view->as_of_us > 0)
        put_clock(view->as_of_us, 0, clock);
    snprintf(line, sizeof line, "away, and what is shown is of %s: %s", clock,
             terminal_safe(view->why, safe, sizeof safe));
    add_line(page, RED, line);
}

/* ---- bars ---- */

/* What line number `level` from the bottom shows of a bar of `count`, if `most` fills `height`
 * lines. */
static const char *find_block(const struct top_screen *screen, uint64_t count, uint64_t most,
                              unsigned height, unsigned level) {
    static const char *const eighths[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {" ", ".", ".", ":", ":", "|", "|", "#", "#"};
    const double filled = (double)count / (double)most * height * 8.0 - level * 8.0;
    unsigned n = filled <= 0 ? 0 : filled >= 8 ? 8 : (unsigned)filled;
    if (n == 0 && count > 0 && level == 0)
        n = 1;
    return (screen->utf8 ? eighths : ascii)[n];
}

/* The windows that fit, [first, first + n). */
struct span {
    int64_t first;
    unsigned n;
    uint64_t most;
};

static struct span find_span(const struct top_view *view, unsigned columns) {
    const struct top_windows *windows = &view->windows;
    const unsigned room = columns > SIDE + 1 ? columns - SIDE - 1 : 1;
    struct span span = {.n = room < TOP_WINDOWS ? room : TOP_WINDOWS, .most = 1};
    const int64_t last = window_at(windows->resolution, view->as_of_us);
    span.first = last - span.n + 1 > 0 ? last - span.n + 1 : 0;
    for (unsigned i = 0; i < span.n; i++) {
        const uint64_t count = top_windows_count(windows, span.first + i);
        span.most = count > span.most ? count : span.most;
    }
    return span;
}

static void add_bars(struct page *page, const struct top_view *view, unsigned height) {
    const struct top_windows *windows = &view->windows;
    const struct span span = find_span(view, page->screen->columns);
    char line[LINE_MAX_BYTES], number[32];
    for (unsigned level = height; level-- > 0;) {
        const char *label = level == height - 1 ? put_number(span.most, number)
                            : level == 0        ? "0"
                                                : "";
        size_t used = (size_t)snprintf(line, sizeof line, "%*s ", SIDE, label);
        for (unsigned i = 0; i < span.n && used + 8 < sizeof line; i++)
            used += (size_t)snprintf(line + used, sizeof line - used, "%s",
                                     find_block(page->screen,
                                                top_windows_count(windows, span.first + i),
                                                span.most, height, level));
        add_line(page, BLUE, line);
    }
    const int64_t open = first_open(windows->resolution, view->as_of_us);
    size_t used = (size_t)snprintf(line, sizeof line, "%*s ", SIDE, "");
    for (unsigned i = 0; i < span.n && used + 1 < sizeof line; i++)
        line[used++] = is_late(windows, span.first + i) ? '*' : span.first + i >= open ? 'o' : '-';
    line[used] = '\0';
    add_line(page, YELLOW, line);
    char from[16], to[16];
    const int digits = windows->resolution == RESOLUTION_10MS;
    put_clock(window_start_us(windows->resolution, span.first), digits, from);
    put_clock(window_start_us(windows->resolution, span.first + span.n - 1), digits, to);
    const int gap = (int)span.n - (int)strlen(from) - (int)strlen(to);
    snprintf(line, sizeof line, "%*s %s%*s%s", SIDE, resolution_table[windows->resolution].name,
             from, gap > 0 ? gap : 1, "", to);
    add_line(page, "", line);
}

/* ---- nodes ---- */

/* after this, a time of day could be taken for that of another day */
#define HOUR_US (3600 * US_PER_S)
#define OTHER_DAY_US (12 * HOUR_US)

static void add_node(struct page *page, const struct node_view *node, int64_t now_us) {
    char line[LINE_MAX_BYTES], name[64], version[64], clock[16], state[40] = "here",
                                                                 through[16] = "-";
    char counted[32], refused[32];
    put_clock(node->last_seen_us, 0, clock);
    if (node->complete_through_us > 0)
        put_clock(node->complete_through_us, 0, through);
    const int64_t gone_us = now_us - node->last_seen_us;
    if (node->gone && gone_us >= OTHER_DAY_US)
        snprintf(state, sizeof state, "gone %" PRId64 " h ago", gone_us / HOUR_US);
    else if (node->gone)
        snprintf(state, sizeof state, "gone %s", clock);
    snprintf(line, sizeof line, "%-20.20s %-14s %15s %11s %7" PRId64 " ms  %-9s %s",
             terminal_safe(node->node, name, sizeof name), state,
             put_number(node->counted, counted), put_number(nodes_refused(node), refused),
             node->lag_ms, through, terminal_safe(node->version, version, sizeof version));
    add_line(page, node->gone ? DIM : "", line);
}

static void add_nodes(struct page *page, const struct top_view *view, unsigned room) {
    if (!view->has_nodes || room < 2)
        return;
    char line[LINE_MAX_BYTES];
    snprintf(line, sizeof line, "%-20s %-14s %15s %11s %10s  %-9s %s", "NODE", "STATE", "COUNTED",
             "REFUSED", "LAG", "COMPLETE", "VERSION");
    add_line(page, BOLD, line);
    for (unsigned i = 0; i < view->nodes && i + 1 < room; i++)
        add_node(page, &view->node[i], view->now_us);
}

static void add_help(struct page *page) {
    static const char *const lines[] = {
        "q, Ctrl-C   end",
        "p, blank    pause, and go on",
        "+           narrower windows: 1min, 1s, 10ms",
        "-           wider windows",
        "?           this, and back",
        "",
        "Bars are windows by the time of the event (UTC). Below them: - closed,",
        "o open (not over, or over for less than a second), * changed by a late",
        "event since it was closed."};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        add_line(page, "", lines[i]);
}

void top_view_draw(const struct top_view *view, const struct top_screen *screen,
                   struct text *text) {
    struct page page = {screen, text, 0};
    const unsigned nodes = view->has_nodes ? view->nodes + 1 : 0;
    const unsigned fixed = 6; /* figures, status, marks, times, a blank, keys */
    const unsigned room = screen->lines > fixed ? screen->lines - fixed : 0;
    const unsigned bars = room > nodes + BARS_LEAST ? room - nodes
                          : room > BARS_LEAST       ? BARS_LEAST
                                                    : room;
    add_figures(&page, view);
    add_status(&page, view);
    if (view->help) {
        add_help(&page);
    } else {
        add_bars(&page, view, bars);
        add_line(&page, "", "");
        add_nodes(&page, view, room - bars);
    }
    while (page.lines + 1 < screen->lines)
        add_line(&page, "", "");
    add_line(&page, DIM, "q end   p pause   + narrower   - wider   ? help");
}
