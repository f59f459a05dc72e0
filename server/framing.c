/* What the library tells of a request has lost its line ends, so a bare LF, a folded header or a NUL cannot
 * be told from clean lines by looking at names and values. But all of them still lie in the buffer they were
 * read into, with zeros for the line ends (libmicrohttpd 0.9.75, connection.c, get_next_header_line):
 *
 *     POST 0 / 0 HTTP/1.1 0 0 Host 0 ' ' x 0 0 Content-Length 0 ' ' 5 0 0 0 0 body
 *     ^method  ^url  ^version  ^name      ^value                          ^method + header size
 *
 * So each part must begin where the one before it says: after one zero, a blank or two; two zeros for CR LF.
 * A bare LF leaves one zero. A NUL ends a value early. A folded line is copied elsewhere, or leaves a gap.
 * What cannot be told from CR LF is NUL LF, which no proxy lets pass. Later libraries keep their buffer
 * otherwise, and have a strict parser. */
#include "server/framing.h"

#include <string.h>
#include <strings.h>

#define KNOWN_LIBRARY "0.9.75"

struct look {
    struct framing framing;
    unsigned lengths, encodings, hosts;
    const char *next; /* where the next header has to begin; NULL when that is not looked at */
};

static const bool is_token[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true,  ['#'] = true,
    ['$'] = true,         ['%'] = true,         ['&'] = true,         ['\''] = true, ['*'] = true,
    ['+'] = true,         ['-'] = true,         ['.'] = true,         ['^'] = true,  ['_'] = true,
    ['`'] = true,         ['|'] = true,         ['~'] = true,
};

bool framing_sees_lines(void) {
    return strcmp(MHD_get_version(), KNOWN_LIBRARY) == 0;
}

struct framing_target framing_target_of(const char *uri) {
    const char *at = uri;
    for (; *at; at++) {
        const bool visible = *at > ' ' && *at < 0x7f && *at != '#';
        if (!visible || (at[0] == '%' && at[1] == '0' && at[2] == '0')) {
            return (struct framing_target){NULL};
        }
    }
    return (struct framing_target){at};
}

const char *framing_path(const char *url) {
    const size_t scheme = strncasecmp(url, "http://", 7) == 0    ? 7
                          : strncasecmp(url, "https://", 8) == 0 ? 8
                                                                 : 0;
    if (scheme == 0) {
        return url;
    }
    const char *path = strchr(url + scheme, '/');
    return path ? path : "/";
}

static bool is(const char *name, size_t size, const char *wanted, size_t wanted_size) {
    return size == wanted_size && strncasecmp(name, wanted, size) == 0;
}

/* No field name but of token characters, no value with a control character: a CR alone is a line end to some.
 */
static bool is_clean(const char *name, size_t name_size, const char *value, size_t value_size) {
    bool clean = name_size > 0;
    for (size_t i = 0; i < name_size; i++) {
        clean = clean && is_token[(unsigned char)name[i]];
    }
    for (size_t i = 0; i < value_size; i++) {
        const unsigned char byte = (unsigned char)value[i];
        clean = clean && (byte >= ' ' || byte == '\t') && byte != 0x7f;
    }
    return clean;
}

/* Whether name, colon, blanks, value, CR LF lie one after the other where they have to; then moves on. */
static bool follows(struct look *look, const char *name, size_t name_size, const char *value,
                    size_t value_size) {
    const char *at = name + name_size + 1;
    if (name != look->next || value < at) {
        return false;
    }
    while (at < value && (*at == ' ' || *at == '\t')) {
        at++;
    }
    look->next = value + value_size + 2;
    return at == value && value[value_size] == '\0' && value[value_size + 1] == '\0';
}

static bool read_length(const char *value, size_t size, uint64_t *length) {
    *length = 0;
    for (size_t i = 0; i < size; i++) {
        const unsigned digit = (unsigned char)value[i] - '0';
        if (digit > 9 || *length > (UINT64_MAX - 9) / 10) {
            return false;
        }
        *length = *length * 10 + digit;
    }
    return size > 0;
}

static enum MHD_Result look_at_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                      const char *value, size_t value_size) {
    (void)kind;
    struct look *look = cls;
    struct framing *framing = &look->framing;
    if (!is_clean(name, name_size, value, value_size) ||
        (look->next && !follows(look, name, name_size, value, value_size))) {
        framing->broken = true;
        return MHD_NO; /* nothing more is to be known */
    }
    if (is(name, name_size, "Content-Length", 14)) {
        look->lengths++;
        framing->broken = framing->broken || !read_length(value, value_size, &framing->length);
    } else if (is(name, name_size, "Transfer-Encoding", 17)) {
        look->encodings++;
        framing->broken = framing->broken || !is(value, value_size, "chunked", 7);
    } else if (is(name, name_size, "Host", 4)) {
        look->hosts++;
    }
    return MHD_YES;
}

/* Where the first header has to begin: NULL when the request line is not METHOD SP target SP version CR LF.
 */
static const char *after_request_line(struct framing_target target, const char *method, const char *url,
                                      const char *version) {
    const size_t version_size = strlen(version);
    const bool follow =
        method + strlen(method) + 1 == url && target.end + 1 == version && !version[version_size + 1];
    return follow ? version + version_size + 2 : NULL;
}

struct framing framing_of(struct MHD_Connection *connection, struct framing_target target, const char *method,
                          const char *url, const char *version) {
    struct look look = {0};
    struct framing *framing = &look.framing;
    const bool sees_lines = framing_sees_lines(), is_1_0 = strcmp(version, "HTTP/1.0") == 0;
    if (!target.end || !is_clean(method, strlen(method), "", 0)) {
        framing->broken = true;
        return *framing;
    }
    if (sees_lines) {
        look.next = after_request_line(target, method, url, version);
        framing->broken = !look.next;
    }
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, look_at_header, &look);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    framing->header_bytes = info ? info->header_size : 0;
    if (sees_lines && !framing->broken) {
        framing->broken = look.next + 2 != method + framing->header_bytes; /* the empty line */
    }
    framing->chunked = look.encodings > 0;
    framing->has_length = look.lengths + look.encodings > 0;
    framing->broken = framing->broken || look.lengths + look.encodings > 1 || look.hosts > 1 ||
                      (is_1_0 ? framing->chunked : look.hosts == 0);
    return *framing;
}
