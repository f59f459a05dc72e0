/* See report_writer.h. In csv, an answer's first line is the header. In json, the text before the
 * first line end and the last line, without its own line end, surround the rows
 * (view/report_rows.h). */
#include "tools/console/report_writer.h"

#include <errno.h>
#include <string.h>

static void put(struct report_writer *writer, const char *bytes, size_t len) {
    if (writer->error == 0 && len > 0 && fwrite(bytes, 1, len, writer->out) != len)
        writer->error = errno;
}

void report_writer_begin(struct report_writer *writer) {
    writer->in_rows = writer->format == ROWS_TEXT;
    writer->has_rows = false;
    writer->tail_len = 0;
}

/* How many of the bytes precede the first row; they are written for the first answer only. */
static size_t take_head(struct report_writer *writer, const char *bytes, size_t len) {
    const char *line_end = memchr(bytes, '\n', len);
    const bool csv = writer->format == ROWS_CSV;
    const size_t n = line_end != NULL ? (size_t)(line_end - bytes) + csv : len;
    if (!writer->begun)
        put(writer, bytes, n);
    if (line_end != NULL)
        writer->in_rows = writer->begun = true;
    return n;
}

static void put_rows(struct report_writer *writer, const char *bytes, size_t len) {
    if (len == 0)
        return;
    if (writer->format == ROWS_JSON && !writer->has_rows && writer->any)
        put(writer, ",", 1);
    put(writer, bytes, len);
    writer->has_rows = writer->any = true;
}

/* Whether an answer in json has no rows: it may then say why, but the console prints that
 * itself. */
static bool is_without_rows(const struct report_writer *writer, const char *bytes, size_t len) {
    if (writer->has_rows || writer->tail_len + len < 2)
        return false;
    const char first = writer->tail_len > 0 ? writer->tail[0] : bytes[0];
    const char second = writer->tail_len > 1 ? writer->tail[1] : bytes[1 - writer->tail_len];
    return first == '\n' && second == ']';
}

/* Writes all but the last bytes, which may be what follows the rows. */
static void put_but_tail(struct report_writer *writer, const char *bytes, size_t len) {
    if (is_without_rows(writer, bytes, len)) {
        const size_t room = REPORT_TAIL - writer->tail_len, kept = len < room ? len : room;
        memcpy(writer->tail + writer->tail_len, bytes, kept);
        writer->tail_len += kept;
        return;
    }
    const size_t all = writer->tail_len + len, out = all > REPORT_TAIL ? all - REPORT_TAIL : 0;
    const size_t old = out < writer->tail_len ? out : writer->tail_len;
    put_rows(writer, writer->tail, old);
    put_rows(writer, bytes, out - old);
    memmove(writer->tail, writer->tail + old, writer->tail_len - old);
    memcpy(writer->tail + writer->tail_len - old, bytes + (out - old), len - (out - old));
    writer->tail_len = all - out;
}

bool report_writer_take(void *cls, const char *bytes, size_t len) {
    struct report_writer *writer = cls;
    if (!writer->in_rows) {
        const size_t n = take_head(writer, bytes, len);
        bytes += n;
        len -= n;
    }
    if (writer->format == ROWS_JSON && writer->in_rows)
        put_but_tail(writer, bytes, len);
    else
        put_rows(writer, bytes, len);
    return writer->error == 0;
}

bool report_writer_flush(struct report_writer *writer) {
    if (writer->error == 0 && fflush(writer->out) != 0)
        writer->error = errno;
    return writer->error == 0;
}

bool report_writer_end(struct report_writer *writer) {
    if (writer->format == ROWS_JSON && writer->begun)
        put(writer, "\n]}\n", REPORT_TAIL);
    return report_writer_flush(writer);
}
