/* The screen of aforo top: its size, its bars and marks, names of others, any terminal. */
#include "tools/console/top_view.h"

#include "tests/unit/check_main.h"

#include <stdlib.h>
#include <string.h>

#define NOW_US (INT64_C(1464433871) * US_PER_S + 500000) /* 2016-05-28 11:11:11.5 */

static struct top_view *new_view(void) {
    struct top_view *view = calloc(1, sizeof *view);
    ck_assert_ptr_nonnull(view);
    view->place = "redis://r";
    view->now_us = view->as_of_us = NOW_US;
    top_windows_begin(&view->windows, RESOLUTION_1S);
    return view;
}

static char *draw(const struct top_view *view, const struct top_screen *screen) {
    struct text text = {0};
    top_view_draw(view, screen, &text);
    text_add(&text, "", 1);
    ck_assert(!text.failed);
    return text.bytes;
}

START_TEST(late_is_what_changes_a_window_that_was_closed) {
    struct top_view *view = new_view();
    const int64_t now = window_at(RESOLUTION_1S, NOW_US);
    ck_assert_uint_eq(top_windows_take(&view->windows, now - 5, 3), 0);
    ck_assert_uint_eq(top_windows_take(&view->windows, now, 1), 0);
    top_windows_close(&view->windows, NOW_US);
    ck_assert_uint_eq(top_windows_take(&view->windows, now - 5, 3), 0);
    ck_assert_uint_eq(top_windows_take(&view->windows, now - 5, 7), 4);
    ck_assert_uint_eq(top_windows_take(&view->windows, now, 9), 0); /* open */
    ck_assert_uint_eq(top_windows_count(&view->windows, now - 5), 7);
    ck_assert_uint_eq(top_windows_count(&view->windows, now - 5 - TOP_WINDOWS), 0);
    ck_assert_uint_eq(top_windows_take(&view->windows, now - 5 + TOP_WINDOWS, 1), 0);
    ck_assert_uint_eq(top_windows_count(&view->windows, now - 5), 0); /* its place is another's */
    free(view);
}
END_TEST

START_TEST(bars_and_marks) {
    struct top_view *view = new_view();
    const struct top_screen screen = {.columns = 20, .lines = 10};
    const int64_t now = window_at(RESOLUTION_1S, NOW_US);
    top_windows_take(&view->windows, now - 4, 8);
    top_windows_take(&view->windows, now - 3, 4);
    top_windows_close(&view->windows, NOW_US);
    top_windows_take(&view->windows, now - 3, 5);
    char *text = draw(view, &screen);
    ck_assert_ptr_nonnull(strstr(text, "\n        8      #    \n"));
    ck_assert_ptr_nonnull(strstr(text, "\n        0      ##   \n"));
    ck_assert_ptr_nonnull(strstr(text, "\n          ------*-oo\n"));
    free(text);
    free(view);
}
END_TEST

START_TEST(it_fits_any_terminal) {
    struct top_view *view = new_view();
    view->has_nodes = true;
    for (unsigned i = 0; i < TOP_NODES; i++) {
        struct node_view *node = &view->node[view->nodes++];
        memset(node->node, 'n', sizeof node->node - 1);
        memcpy(node->node, "\x1b]0;x\x07", 6);
        node->gone = i % 2;
        node->received = node->counted = UINT64_MAX;
    }
    view->nodes_in_all = TOP_NODES;
    for (unsigned size = 1; size < 200; size += size < 30 ? 1 : 37) {
        for (int how = 0; how < 4; how++) {
            const struct top_screen screen = {
                .columns = size, .lines = 200 / size, .utf8 = how & 1};
            view->away = how & 2;
            view->help = size % 5 == 0;
            char *text = draw(view, &screen);
            unsigned lines = 1, columns = 0;
            for (const char *at = text; *at; at++) {
                ck_assert_msg(*at != '\x1b' && *at != '\x07', "a terminal would obey it");
                columns = *at == '\n' ? 0 : columns + ((*at & 0xc0) != 0x80);
                lines += *at == '\n';
                ck_assert_uint_le(columns, size);
            }
            ck_assert_uint_le(lines, screen.lines);
            free(text);
        }
    }
    free(view);
}
END_TEST

START_TEST(a_node_that_is_gone) {
    static const struct {
        int64_t hours;
        const char *said;
    } rows[] = {{11, "gone 00:"}, {12, " gone 12 h ago "}, {23, " gone 23 h ago "}};
    const struct top_screen screen = {.columns = 100, .lines = 20};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct top_view *view = new_view();
        view->has_nodes = true;
        view->nodes = view->nodes_in_all = 1;
        view->node[0] =
            (struct node_view){.node = "a",
                               .gone = true,
                               .counted = 3, /* it cannot be, and is not to be believed */
                               .received = 2,
                               .last_seen_us = NOW_US - rows[i].hours * 3600 * US_PER_S};
        char *text = draw(view, &screen);
        ck_assert_msg(strstr(text, rows[i].said), "%s", text);
        ck_assert_ptr_nonnull(strstr(text, " 3           0 "));
        ck_assert_ptr_nonnull(strstr(text, "   refused 0.00 %   "));
        free(text);
        free(view);
    }
}
END_TEST

CHECK_MAIN("top_view", late_is_what_changes_a_window_that_was_closed, bars_and_marks,
           it_fits_any_terminal, a_node_that_is_gone)
