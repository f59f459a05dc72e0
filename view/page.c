#include "view/page.h"

#include <string.h>

#include "page_tags.h" /* made by CMake: ETAG_page_html and so on, from the files' contents */

/* A file, compressed by CMake, between two symbols. */
#define EMBED(symbol, file)                                                                        \
    __asm__(".section .rodata\n"                                                                   \
            ".balign 8\n"                                                                          \
            ".global page_" #symbol "\n"                                                           \
            ".hidden page_" #symbol "\n"                                                           \
            ".global page_" #symbol "_end\n"                                                       \
            ".hidden page_" #symbol "_end\n"                                                       \
            "page_" #symbol ":\n"                                                                  \
            ".incbin \"" PAGE_DIR "/" file ".gz\"\n"                                               \
            "page_" #symbol "_end:\n"                                                              \
            ".byte 0\n"                                                                            \
            ".previous\n");                                                                        \
    extern const unsigned char page_##symbol[] __attribute__((visibility("hidden")));              \
    extern const unsigned char page_##symbol##_end[] __attribute__((visibility("hidden")))

EMBED(html, "page.html");
EMBED(css, "page.css");
EMBED(js, "page.js");
EMBED(reports, "reports.js");
EMBED(chart, "chart.js");
EMBED(icon, "icon.svg");
EMBED(uplot_js, "uPlot.iife.min.js");
EMBED(uplot_css, "uPlot.min.css");

/* Only the linker knows the length of each. */
static const struct {
    const char *path, *type, *etag;
    const unsigned char *bytes, *end;
} parts[] = {
    {"/", "text/html; charset=utf-8", ETAG_page_html, page_html, page_html_end},
    {"/page/page.css", "text/css; charset=utf-8", ETAG_page_css, page_css, page_css_end},
    {"/page/page.js", "text/javascript; charset=utf-8", ETAG_page_js, page_js, page_js_end},
    {"/page/reports.js", "text/javascript; charset=utf-8", ETAG_reports_js, page_reports,
     page_reports_end},
    {"/page/chart.js", "text/javascript; charset=utf-8", ETAG_chart_js, page_chart, page_chart_end},
    {"/page/icon.svg", "image/svg+xml", ETAG_icon_svg, page_icon, page_icon_end},
    {"/page/uplot.js", "text/javascript; charset=utf-8", ETAG_uPlot_iife_min_js, page_uplot_js,
     page_uplot_js_end},
    {"/page/uplot.css", "text/css; charset=utf-8", ETAG_uPlot_min_css, page_uplot_css,
     page_uplot_css_end},
};

bool page_find(const char *path, struct page_part *part) {
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strcmp(path, parts[i].path) == 0) {
            *part = (struct page_part){parts[i].type, parts[i].etag, parts[i].bytes,
                                       (size_t)(parts[i].end - parts[i].bytes)};
            return true;
        }
    }
    return false;
}
