/* What `aforo top` shows: windows as bars, nodes as a table, -> the text of one screen. Pure: no
 * I/O; one thread. */
#ifndef AFORO_TOOLS_CONSOLE_TOP_VIEW_H
#define AFORO_TOOLS_CONSOLE_TOP_VIEW_H

#include "counters/time/window.h"
#include "tools/console/source.h"
#include "view/nodes.h"
#include "view/text.h"

#define TOP_WINDOWS 512 /* kept: more than a terminal has columns, as a rule */
#define TOP_NODES 64    /* shown and summed up; more are counted only */
#define TOP_CLOSE_US US_PER_S

/* How the terminal is. */
struct top_screen {
    unsigned columns, lines;
    bool colour, utf8;
};

/* The windows of the resolution that is shown; those that are not kept have no events. */
struct top_windows {
    enum resolution resolution;
    int64_t window[TOP_WINDOWS]; /* which one is at that place */
    uint64_t count[TOP_WINDOWS];
    bool late[TOP_WINDOWS];
    int64_t closed_end; /* windows before this were shown as closed */
};

struct top_view {
    const char *place; /* what is read, for the first line */
    struct top_windows windows;
    uint64_t rate; /* events of the last second that is closed */
    uint64_t late; /* events that came late while it was watched */
    struct node_view node[TOP_NODES];
    unsigned nodes, nodes_in_all;
    bool has_nodes;                         /* the source knows of nodes */
    uint64_t received_first, refused_first; /* when the nodes were read first */
    int64_t now_us;
    int64_t as_of_us; /* of what is shown */
    bool away, paused, help;
    char why[SOURCE_WHY_MAX]; /* while it is away */
};

/* Begins anew with windows of that width. */
void top_windows_begin(struct top_windows *windows, enum resolution r);

/* Takes the count of a window as it was read; returns the events by which it changed after it was
 * shown as closed. */
uint64_t top_windows_take(struct top_windows *windows, int64_t window, uint64_t count);

/* After all of a reading: windows that are over for a second at now_us are closed. */
void top_windows_close(struct top_windows *windows, int64_t now_us);

uint64_t top_windows_count(const struct top_windows *windows, int64_t window);

/* Adds the whole screen, its lines parted by \n, none longer than the terminal is wide and no more
 * of them than it has. Names of others are shown with their control characters escaped. */
void top_view_draw(const struct top_view *view, const struct top_screen *screen, struct text *text);

#endif
