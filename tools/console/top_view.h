/* Makes the text of one screen of `aforo top`: windows as bars, nodes as a table. No I/O; one
 * thread. */
#ifndef AFORO_TOOLS_CONSOLE_TOP_VIEW_H
#define AFORO_TOOLS_CONSOLE_TOP_VIEW_H

#include "counters/time/window.h"
#include "tools/console/source.h"
#include "view/nodes.h"
#include "view/text.h"

#define TOP_WINDOWS 512 /* kept: more than most terminals have columns */
#define TOP_NODES 64    /* shown and summed up; further ones are only counted */
#define TOP_CLOSE_US US_PER_S

/* The properties of the terminal. */
struct top_screen {
    unsigned columns, lines;
    bool colour, utf8;
};

/* The windows of the resolution that is shown; those that are not kept have no events. */
struct top_windows {
    enum resolution resolution;
    int64_t window[TOP_WINDOWS]; /* the window at each place */
    uint64_t count[TOP_WINDOWS];
    bool late[TOP_WINDOWS];
    int64_t closed_end; /* windows before this were shown as closed */
};

struct top_view {
    const char *place; /* the source, for the first line */
    struct top_windows windows;
    uint64_t rate; /* events of the last second that is closed */
    uint64_t late; /* events that came late while it was watched */
    struct node_view node[TOP_NODES];
    unsigned nodes, nodes_in_all;
    bool has_nodes;                         /* the source knows of nodes */
    uint64_t received_first, refused_first; /* when the nodes were first read */
    int64_t now_us;
    int64_t as_of_us; /* time of what is shown */
    bool away, paused, help;
    char why[SOURCE_WHY_MAX]; /* while the source is away */
};

/* Starts over with windows of that resolution. */
void top_windows_begin(struct top_windows *windows, enum resolution r);

/* Takes the count of a window. Returns by how many events it changed after it was shown as
 * closed. */
uint64_t top_windows_take(struct top_windows *windows, int64_t window, uint64_t count);

/* To be called after each reading: windows that ended at least TOP_CLOSE_US before now_us become
 * closed. */
void top_windows_close(struct top_windows *windows, int64_t now_us);

/* The count of a window; 0 when it is not kept. */
uint64_t top_windows_count(const struct top_windows *windows, int64_t window);

/* Adds the whole screen to `text`: lines separated by \n, none wider than the terminal and no more
 * than it has. Control characters in foreign names are escaped. */
void top_view_draw(const struct top_view *view, const struct top_screen *screen, struct text *text);

#endif
