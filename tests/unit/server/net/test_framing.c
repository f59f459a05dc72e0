/* framing_check over requests as libmicrohttpd 0.9.75 and 1.0.1 leave them in their buffers; the
 * library's calls are our own here, which tell what is in that buffer. */
#include "server/net/framing.h"

#include "tests/unit/check_main.h"

#include <stdio.h>
#include <string.h>

#define HEADERS_MAX 16

static struct request {
    char buffer[2048];
    const char *method, *url, *version;
    struct framing_target target;
    size_t header_size;
    struct {
        const char *name, *value;
        size_t name_size, value_size;
    } header[HEADERS_MAX];
    size_t headers;
    union MHD_ConnectionInfo info;
} request;

static const char *library = "0.9.75";

const char *MHD_get_version(void) {
    return library;
}

const union MHD_ConnectionInfo *MHD_get_connection_info(struct MHD_Connection *connection,
                                                        enum MHD_ConnectionInfoType type, ...) {
    (void)connection;
    ck_assert_int_eq(type, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    request.info.header_size = request.header_size;
    return &request.info;
}

int MHD_get_connection_values_n(struct MHD_Connection *connection, enum MHD_ValueKind kind,
                                MHD_KeyValueIteratorN iterator, void *iterator_cls) {
    (void)connection;
    (void)kind;
    for (size_t i = 0; i < request.headers; i++) {
        if (iterator(iterator_cls, MHD_HEADER_KIND, request.header[i].name,
                     request.header[i].name_size, request.header[i].value,
                     request.header[i].value_size) != MHD_YES) {
            return (int)i;
        }
    }
    return (int)request.headers;
}

static bool leaves_lf(void) {
    return strcmp(library, "1.0.1") == 0;
}

/* Ends the line at `line` as the library does, by zeros for CR LF or for a LF alone; or by one for
 * CR and the blanks before it. Returns where the next one begins. */
static char *end_line(char *line) {
    char *end = strchr(line, '\n');
    ck_assert_ptr_nonnull(end);
    if (leaves_lf() && end > line && end[-1] == '\r') {
        for (end--; end > line && strchr(" \t", end[-1]); end--) {
        }
        *end = '\0';
        return strchr(end + 1, '\n') + 1;
    }
    *end = '\0';
    if (end > line && end[-1] == '\r') {
        end[-1] = '\0';
    }
    return end + 1;
}

/* Parses a request, up to the empty line, as the library does. */
static void parse(const char *text) {
    memset(&request, 0, sizeof request);
    request.header_size = strlen(text);
    ck_assert_uint_lt(request.header_size, sizeof request.buffer);
    memcpy(request.buffer, text, request.header_size);
    char *line = request.buffer, *next = end_line(line);
    request.method = line;
    char *blank = strchr(line, ' ');
    *blank = '\0';
    char *url = blank + 1;
    url += strspn(url, " ");
    char *version = strrchr(url, ' ');
    *version++ = '\0';
    request.url = url;
    request.version = version;
    request.target = framing_check_target(url);
    for (line = next; *line != '\r' && *line != '\n'; line = next) {
        next = end_line(line);
        char *colon = strchr(line, ':');
        ck_assert_ptr_nonnull(colon);
        *colon = '\0';
        char *value = colon + 1;
        value += strspn(value, " \t");
        request.header[request.headers].name = line;
        request.header[request.headers].name_size = strlen(line);
        request.header[request.headers].value = value;
        request.header[request.headers++].value_size = strlen(value);
    }
    end_line(line);
}

static struct framing check(const char *text) {
    parse(text);
    return framing_check(NULL, request.target, request.method, request.url, request.version);
}

#define LINE "POST / HTTP/1.1\r\n"
#define HOST "Host: x\r\n"

START_TEST(clean_requests) {
    static const struct {
        const char *text;
        bool has_length, chunked, encoded;
        uint64_t length;
        unsigned authorizations;
    } rows[] = {
        {LINE HOST "\r\n", false, false, false, 0, 0},
        {LINE HOST "Content-Length: 17\r\n\r\n", true, false, false, 17, 0},
        {LINE HOST "CONTENT-LENGTH:\t 0\r\n\r\n", true, false, false, 0, 0},
        {LINE HOST "Content-Length: 18446744073709551605\r\n\r\n", true, false, false,
         UINT64_C(18446744073709551605), 0},
        {LINE HOST "Transfer-Encoding: Chunked\r\n\r\n", true, true, false, 0, 0},
        {LINE "content-encoding: IDENTITY\r\nhOST: x\r\n\r\n", false, false, false, 0, 0},
        {LINE "content-encoding: gzip\r\nHost: x\r\n\r\n", false, false, true, 0, 0},
        {LINE HOST "Authorization: Bearer a\r\nauthorization: b\r\n\r\n", false, false, false, 0,
         2},
        {LINE HOST "X-Any_other.name!#$%&'*+^`|~-and-a-long-one: \x80 \xff\r\n\r\n", false, false,
         false, 0, 0},
        {"GET /counts/1s?last=1 HTTP/1.0\r\nA: b\r\n\r\n", false, false, false, 0, 0},
        {LINE HOST "Empty:\r\n\r\n", false, false, false, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct framing framing = check(rows[i].text);
        ck_assert_msg(!framing.broken, "%s", rows[i].text);
        ck_assert_int_eq(framing.has_length, rows[i].has_length);
        ck_assert_int_eq(framing.chunked, rows[i].chunked);
        ck_assert_int_eq(framing.encoded, rows[i].encoded);
        ck_assert_uint_eq(framing.length, rows[i].length);
        ck_assert_uint_eq(framing.authorizations, rows[i].authorizations);
        ck_assert_uint_eq(framing.header_bytes, strlen(rows[i].text));
    }
}
END_TEST

START_TEST(broken_requests) {
    static const char *const rows[] = {
        LINE "\r\n",           /* no Host */
        LINE HOST HOST "\r\n", /* two */
        LINE HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
        LINE HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        LINE HOST "Content-Length: \r\n\r\n",
        LINE HOST "Content-Length: +1\r\n\r\n",
        LINE HOST "Content-Length: 1a\r\n\r\n",
        LINE HOST "Content-Length: 0x1\r\n\r\n",
        LINE HOST "Content-Length: 18446744073709551616\r\n\r\n",
        LINE HOST "Transfer-Encoding: gzip\r\n\r\n",
        LINE HOST "Transfer-Encoding: chunked, chunked\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        LINE "Host: x\nA: b\r\n\r\n", /* a bare LF */
        "POST / HTTP/1.1\nHost: x\r\n\r\n",
        LINE HOST "\n",
        LINE HOST "A : b\r\n\r\n",
        LINE HOST "(A): b\r\n\r\n",
        LINE HOST ": b\r\n\r\n",
        LINE HOST "A: b\rc\r\n\r\n", /* control characters */
        LINE HOST "A: b\x01\r\n\r\n",
        LINE HOST "A: \x7f and more than sixteen bytes\r\n\r\n",
        LINE HOST "A: \x1f and more than sixteen bytes\r\n\r\n",
        "POST  / HTTP/1.1\r\n" HOST "\r\n", /* two blanks */
        "POST / HTTP/1.\x01\r\n" HOST "\r\n",
        "PO(ST / HTTP/1.1\r\n" HOST "\r\n",
        "POST /#a HTTP/1.1\r\n" HOST "\r\n",
        "POST /%00 HTTP/1.1\r\n" HOST "\r\n",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_msg(check(rows[i]).broken, "%zu: %s", i, rows[i]);
    }
    parse(LINE HOST "A: b\r\nC: d\r\n\r\n"); /* a folded line, which the library copies elsewhere */
    char elsewhere[] = "b c";
    request.header[1].value = elsewhere;
    request.header[1].value_size = 3;
    ck_assert(
        framing_check(NULL, request.target, request.method, request.url, request.version).broken);
}
END_TEST

/* Every control character, at every place of a value: the last bytes and those before them are
 * looked at in different steps. */
START_TEST(control_characters_at_every_place) {
    for (int byte = 1; byte < 256; byte++) {
        if (byte == '\n' || byte == '\r') {
            continue;
        }
        for (size_t at = 1; at < 40; at++) {
            char value[41], text[128];
            memset(value, 'v', sizeof value);
            value[40] = '\0';
            value[at] = (char)byte;
            snprintf(text, sizeof text, LINE HOST "Name: %s\r\n\r\n", value);
            const bool control = (byte < ' ' && byte != '\t') || byte == 0x7f;
            ck_assert_msg(check(text).broken == control, "byte %d at %zu", byte, at);
        }
    }
}
END_TEST

/* Every byte at every place of names of every length up to 20. */
START_TEST(names_of_token_characters_only) {
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (int byte = 1; byte < 256; byte++) {
        if (byte == '\n' || byte == '\r' || byte == ':') {
            continue;
        }
        const bool token = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                           (byte >= 'A' && byte <= 'Z') || strchr(others, byte);
        for (size_t len = 1; len <= 20; len++) {
            for (size_t at = 0; at < len; at++) {
                char name[21], text[128];
                memset(name, 'n', sizeof name);
                name[len] = '\0';
                name[at] = (char)byte;
                snprintf(text, sizeof text, LINE HOST "%s: v\r\n\r\n", name);
                const bool broken = check(text).broken;
                DEMAND(broken == !token, "byte %d at %zu of %zu", byte, at, len);
            }
        }
    }
}
END_TEST

/* Of three headers the library passes on the first and the last one. */
START_TEST(a_gap_between_headers) {
    parse(LINE HOST "A: b\r\nC: d\r\n\r\n");
    ck_assert(
        !framing_check(NULL, request.target, request.method, request.url, request.version).broken);
    request.header[1] = request.header[2];
    request.headers = 2;
    ck_assert(
        framing_check(NULL, request.target, request.method, request.url, request.version).broken);
}
END_TEST

START_TEST(another_library_is_checked_by_what_it_parsed) {
    library = "0.9.77";
    ck_assert(!framing_knows_buffer() && !framing_sees_lines());
    ck_assert(!check(LINE "Host: x\nA: b\r\n\r\n").broken); /* its own parser is strict */
    ck_assert(check(LINE HOST HOST "\r\n").broken);
    ck_assert(check(LINE HOST "A: b\x01\r\n\r\n").broken);
    library = "0.9.75";
    ck_assert(framing_sees_lines());
}
END_TEST

START_TEST(blanks_that_1_0_1_cuts_off) {
    static const char *const taken[] = {
        LINE HOST "A: b \t \r\nContent-Length: 5\r\n\r\n",
        LINE "Host: x \r\nEmpty: \r\nTransfer-Encoding: chunked\r\n\r\n",
        LINE HOST "Empty:\r\n\r\n",
    };
    static const char *const refused[] = {
        LINE HOST "Transfer-Encoding: chunked \r\n\r\n",
        LINE HOST "Transfer-Encoding: chunked \t\r\nA: b\r\n\r\n",
        LINE HOST "Content-Length: 5 \r\n\r\n",
        LINE HOST "Content-Length: 5\t\r\nA: b\r\n\r\n",
        LINE HOST "A: b\nC: d\r\n\r\n",
        LINE HOST "A: b\x01\r\n\r\n",
        "POST / HTTP/1.1\n" HOST "\r\n",
    };
    library = "1.0.1";
    ck_assert(framing_knows_buffer() && !framing_sees_lines());
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        ck_assert_msg(!check(taken[i]).broken, "%zu: %s", i, taken[i]);
    }
    /* it lays the body over what follows the last value */
    parse(LINE HOST "Content-Length: 5\r\n\r\n");
    memcpy(request.buffer + request.header_size - 3, "bod", 3);
    ck_assert(
        !framing_check(NULL, request.target, request.method, request.url, request.version).broken);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        ck_assert_msg(check(refused[i]).broken, "%zu: %s", i, refused[i]);
    }
    library = "0.9.75";
}
END_TEST

START_TEST(targets) {
    static const char *const valid[] = {"/", "/events", "*", "/a?b", "/~!$&'()*+,;=:@%20", "/%0a"};
    static const char *const wrong[] = {"/ ",  "/#",   "/\x7f",  "/\x80",
                                        "/\t", "/%00", "/a%00b", " /"};
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        const struct framing_target target = framing_check_target(valid[i]);
        ck_assert_ptr_eq(target.end, valid[i] + strlen(valid[i]));
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(!framing_check_target(wrong[i]).end, "%s", wrong[i]);
    }
    ck_assert_str_eq(framing_check_target("/a?b?c").query, "b?c");
    ck_assert_str_eq(framing_check_target("/?").query, "");
    ck_assert_ptr_null(framing_check_target("/a").query);
}
END_TEST

START_TEST(paths) {
    static const char *const rows[][2] = {{"/", "/"},
                                          {"/events", "/events"},
                                          {"http://host/path", "/path"},
                                          {"HTTPS://host:1/a/b", "/a/b"},
                                          {"http://host", "/"},
                                          {"ftp://host/path", "ftp://host/path"},
                                          {"*", "*"},
                                          {"", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_str_eq(framing_find_path(rows[i][0]), rows[i][1]);
    }
}
END_TEST

CHECK_MAIN("framing", clean_requests, broken_requests, control_characters_at_every_place,
           names_of_token_characters_only, a_gap_between_headers,
           another_library_is_checked_by_what_it_parsed, blanks_that_1_0_1_cuts_off, targets, paths)
