#include "server/http/live_page.h"

#include "view/page.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool live_page_has(const char *path) {
    struct page_part part;
    return strcmp(path, "/") != 0 && page_find(path, &part);
}

/* Whether these parameters of a member of a list say that it is not acceptable: ";q=0", "; q=0.0".
 */
static bool is_refused(const char *parameters) {
    parameters += strspn(parameters, "; \t");
    if (strncasecmp(parameters, "q=0", 3) != 0) {
        return false;
    }
    parameters += 3 + strspn(parameters + 3, ".0");
    return strchr(", \t", *parameters) != NULL;
}

static bool accepts(struct MHD_Connection *connection, const char *header, const char *wanted) {
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, header);
    const char *found = value ? strstr(value, wanted) : NULL;
    return found && !is_refused(found + strlen(wanted));
}

bool live_page_is_wanted(struct MHD_Connection *connection) {
    return accepts(connection, MHD_HTTP_HEADER_ACCEPT, "text/html") &&
           accepts(connection, MHD_HTTP_HEADER_ACCEPT_ENCODING, "gzip");
}

static void add_headers(struct MHD_Response *response, const struct page_part *part) {
    static const char *const header[][2] = {
        {MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip"},
        {MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache"}, /* browsers revalidate, and get a 304 */
        {MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding"},
        {"Content-Security-Policy", PAGE_POLICY},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"}};
    for (size_t i = 0; i < sizeof header / sizeof *header; i++) {
        MHD_add_response_header(response, header[i][0], header[i][1]);
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, part->etag);
}

void live_page_make(struct MHD_Connection *connection, const char *path, struct page *page) {
    struct page_part part;
    *page = (struct page){0};
    if (!page_find(path, &part)) {
        return;
    }
    if (!accepts(connection, MHD_HTTP_HEADER_ACCEPT_ENCODING, "gzip")) {
        page->status = MHD_HTTP_NOT_ACCEPTABLE;
        snprintf(page->why, sizeof page->why,
                 "this is kept compressed: send Accept-Encoding: gzip (curl --compressed)");
        return;
    }
    const bool known = accepts(connection, MHD_HTTP_HEADER_IF_NONE_MATCH, part.etag);
    page->status = known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK;
    page->type = part.type;
    page->response = MHD_create_response_from_buffer(
        known ? 0 : part.len, (void *)(uintptr_t)part.bytes, MHD_RESPMEM_PERSISTENT);
    if (page->response) {
        add_headers(page->response, &part);
    }
}
