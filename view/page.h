/* The live page and its parts, the compressed files of view/page and view/vendor. They are embedded
 * in the program, so that it needs no files beside it and no other host. Constant; any thread. */
#ifndef AFORO_VIEW_PAGE_H
#define AFORO_VIEW_PAGE_H

#include <stdbool.h>
#include <stddef.h>

struct page_part {
    const char *type;
    const char *etag;           /* with its quotes */
    const unsigned char *bytes; /* compressed with gzip */
    size_t len;
};

/* The content security policy sent with all of them, so that the page neither loads nor runs
 * anything from elsewhere. */
#define PAGE_POLICY                                                                                \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "        \
    "'self'; "                                                                                     \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/* Finds the part at `path`, the page itself at "/"; false when there is none. */
bool page_find(const char *path, struct page_part *part);

#endif
