/* See top.h. The terminal, its keys and its size; top_view.c makes what is drawn. */
#include "tools/console/top.h"

#include "tools/console/terminal.h"
#include "tools/console/top_view.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ROUND_MS 250
#define NODES_US US_PER_S
#define AWAY_US US_PER_S
#define ENTER "\x1b[?1049h\x1b[?25l"
#define LEAVE "\x1b[?25h\x1b[?1049l"
#define HOME "\x1b[H"
#define REST_OF_LINE "\x1b[K"
#define REST_OF_SCREEN "\x1b[J"

static volatile sig_atomic_t resized;

static void on_resize(int signal_number) {
    (void)signal_number;
    resized = 1;
}

struct top {
    struct source *source;
    struct top_view view;
    struct top_screen screen;
    struct termios before;
    int64_t nodes_due_us, source_due_us; /* wall clock */
    bool whole;                          /* read all windows, not only the last ones */
    bool nodes_known;                    /* received_first and refused_first are set */
};

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

/* ---- the terminal ---- */

bool top_can_draw(void) {
    const char *term = getenv("TERM");
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term != NULL && *term != '\0' &&
           strcmp(term, "dumb") != 0;
}

static bool is_utf8(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && *value != '\0')
            return strstr(value, "UTF-8") != NULL || strstr(value, "utf8") != NULL ||
                   strstr(value, "utf-8") != NULL;
    }
    return false;
}

static void measure_screen(struct top_screen *screen) {
    struct winsize size = {0};
    const char *no_color = getenv("NO_COLOR");
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
        size = (struct winsize){.ws_col = 80, .ws_row = 24};
    screen->columns = size.ws_col;
    screen->lines = size.ws_row;
    screen->colour = no_color == NULL || *no_color == '\0';
    screen->utf8 = is_utf8();
}

/* Writes all of it; false when the terminal is gone. */
static bool write_all(const char *bytes, size_t len) {
    while (len > 0) {
        const ssize_t n = write(STDOUT_FILENO, bytes, len);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
    return true;
}

static bool enter(struct top *top) {
    struct termios raw;
    if (tcgetattr(STDIN_FILENO, &top->before) != 0) {
        terminal_complain("the terminal: %s", strerror(errno));
        return false;
    }
    raw = top->before;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    const struct sigaction action = {.sa_handler = on_resize};
    sigaction(SIGWINCH, &action, NULL);
    return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0 && write_all(ENTER, sizeof ENTER - 1);
}

static void leave(const struct top *top) {
    write_all(LEAVE, sizeof LEAVE - 1);
    tcsetattr(STDIN_FILENO, TCSANOW, &top->before);
}

/* Draws the screen over the previous one, so that nothing flickers. */
static bool draw(struct top *top) {
    struct text lines = {0}, out = {0};
    top_view_draw(&top->view, &top->screen, &lines);
    text_add_string(&out, HOME);
    for (size_t at = 0; at < lines.len;) {
        const char *end = memchr(lines.bytes + at, '\n', lines.len - at);
        const size_t len = end != NULL ? (size_t)(end - lines.bytes) - at : lines.len - at;
        text_add(&out, lines.bytes + at, len);
        text_add_string(&out, end != NULL ? REST_OF_LINE "\r\n" : REST_OF_LINE REST_OF_SCREEN);
        at += len + 1;
    }
    const bool well = !out.failed && !lines.failed && write_all(out.bytes, out.len);
    text_free(&lines);
    text_free(&out);
    return well;
}

/* ---- what is read ---- */

/* Takes the rows of a reading. */
struct taking {
    struct top_windows *windows;
    int64_t next; /* windows before this were taken */
    uint64_t late;
};

static bool take_row(void *cls, const struct row *row) {
    struct taking *taking = cls;
    for (; taking->next < row->window; taking->next++)
        taking->late += top_windows_take(taking->windows, taking->next, 0);
    if (row->window >= taking->next) {
        taking->late += top_windows_take(taking->windows, row->window, row->count);
        taking->next = row->window + 1;
    }
    return true;
}

static bool read_bars(struct top *top, char *why) {
    struct top_windows *windows = &top->view.windows;
    const enum resolution r = windows->resolution;
    /* changes by late events are looked for in the last ten seconds, or three windows */
    const int64_t last = window_at(r, top->view.now_us),
                  back = top->whole || r == RESOLUTION_10MS ? TOP_WINDOWS - 8
                         : r == RESOLUTION_1S               ? 12
                                                            : 3,
                  first = last > back ? last - back : 0;
    const struct query query = {.resolution = r,
                                .from_us = window_start_us(r, first),
                                .to_us = window_start_us(r, last + 2),
                                .partial = true};
    struct taking taking = {windows, first, 0};
    const struct row_taker taker = {take_row, &taking};
    if (top->source->ops->rows(top->source, &query, top->view.now_us, &taker, why) != SOURCE_DONE)
        return false;
    for (; taking.next <= last; taking.next++)
        taking.late += top_windows_take(windows, taking.next, 0);
    top->view.late += taking.late;
    top_windows_close(windows, top->view.now_us);
    top->whole = false;
    return true;
}

static bool take_last(void *cls, const struct row *row) {
    *(struct row *)cls = *row;
    return true;
}

/* Reads the events of the last closed second. */
static bool read_rate(struct top *top, char *why) {
    const int64_t second = window_at(RESOLUTION_1S, top->view.now_us - TOP_CLOSE_US) - 1;
    const struct query query = {.resolution = RESOLUTION_1S,
                                .from_us = window_start_us(RESOLUTION_1S, second),
                                .to_us = window_start_us(RESOLUTION_1S, second + 1),
                                .partial = true};
    struct row row = {0};
    const struct row_taker taker = {take_last, &row};
    if (top->source->ops->rows(top->source, &query, top->view.now_us, &taker, why) != SOURCE_DONE)
        return false;
    top->view.rate = row.count;
    return true;
}

static void take_node(void *cls, const struct node_view *node) {
    struct top_view *view = cls;
    if (view->nodes < TOP_NODES)
        view->node[view->nodes++] = *node;
    view->nodes_in_all++;
}

static bool read_nodes(struct top *top, char *why) {
    struct top_view *view = &top->view;
    if (top->source->ops->nodes == NULL || view->now_us < top->nodes_due_us)
        return true;
    const struct node_taker taker = {take_node, view};
    view->nodes = view->nodes_in_all = 0;
    if (!top->source->ops->nodes(top->source, view->now_us, &taker, why))
        return false;
    view->has_nodes = true;
    top->nodes_due_us = view->now_us + NODES_US;
    uint64_t received = 0, refused = 0;
    for (unsigned i = 0; i < view->nodes; i++) {
        received += view->node[i].received;
        refused += nodes_refused(&view->node[i]);
    }
    if (!top->nodes_known || received < view->received_first) {
        view->received_first = received;
        view->refused_first = refused;
        top->nodes_known = true;
    }
    return true;
}

static void read_all(struct top *top) {
    struct top_view *view = &top->view;
    char why[SOURCE_WHY_MAX];
    view->now_us = now_us();
    if (view->away && view->now_us < top->source_due_us)
        return;
    const bool well = (!view->away || top->source->ops->ready(top->source, why)) &&
                      read_bars(top, why) && read_rate(top, why) && read_nodes(top, why);
    if (well) {
        view->as_of_us = view->now_us;
    } else {
        snprintf(view->why, sizeof view->why, "%s", why);
        top->source_due_us = view->now_us + AWAY_US;
        top->whole = true;
        view->windows.closed_end = 0; /* so that earlier counts are not mistaken for late events */
    }
    view->away = !well;
}

/* ---- keys ---- */

static void change_width(struct top *top, int by) {
    const int r = (int)top->view.windows.resolution + by;
    if (r >= 0 && r < RESOLUTIONS) {
        top_windows_begin(&top->view.windows, (enum resolution)r);
        top->whole = true;
    }
}

/* Obeys a key; false: end. */
static bool obey(struct top *top, char key) {
    switch (key) {
    case 'q':
    case 'Q':
    case 3: /* Ctrl-C, if it makes no signal */
        return false;
    case 'p':
    case ' ':
        top->view.paused = !top->view.paused;
        top->whole = true;
        top->view.windows.closed_end = 0;
        return true;
    case '+':
    case '=':
        change_width(top, -1);
        return true;
    case '-':
        change_width(top, 1);
        return true;
    case '?':
    case 'h':
        top->view.help = !top->view.help;
        return true;
    default:
        return true;
    }
}

/* Waits for keys until the next round; false: end. */
static bool wait_for_keys(struct top *top, const volatile sig_atomic_t *asked_to_end) {
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    const int ready = poll(&in, 1, ROUND_MS);
    if (resized != 0) {
        resized = 0;
        measure_screen(&top->screen);
    }
    if (ready <= 0)
        return *asked_to_end == 0;
    char keys[16];
    const ssize_t n = read(STDIN_FILENO, keys, sizeof keys);
    if (n <= 0)
        return false; /* the terminal is gone */
    for (ssize_t i = 0; i < n; i++) {
        if (keys[i] == '\x1b')
            return true; /* an arrow or a function key: ignored */
        if (!obey(top, keys[i]))
            return false;
    }
    return *asked_to_end == 0;
}

bool top_run(struct source *source, const char *place, const volatile sig_atomic_t *asked_to_end) {
    struct top *top = calloc(1, sizeof *top);
    if (top == NULL) {
        terminal_complain("out of memory");
        return false;
    }
    top->source = source;
    const char *login = place != NULL ? strrchr(place, '@') : NULL; /* it may contain a password */
    top->view.place = login != NULL ? login + 1 : place != NULL ? place : "";
    top->whole = true;
    top_windows_begin(&top->view.windows, RESOLUTION_1S);
    measure_screen(&top->screen);
    bool well = enter(top);
    if (well) {
        do {
            if (!top->view.paused)
                read_all(top);
            well = draw(top);
        } while (well && wait_for_keys(top, asked_to_end));
        leave(top);
    }
    free(top);
    return well;
}
