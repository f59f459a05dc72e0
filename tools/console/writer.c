/* See writer.h. */
#include "tools/console/writer.h"

#include <errno.h>

static bool put(struct writer *writer, const char *bytes, size_t len) {
    if (writer->error == 0 && fwrite(bytes, 1, len, writer->out) != len)
        writer->error = errno;
    return writer->error == 0;
}

bool writer_begin(struct writer *writer) {
    if (writer->begun)
        return writer->error == 0;
    writer->begun = true;
    char buf[ROWS_ROW_MAX];
    return put(writer, buf, rows_begin(&writer->form, buf));
}

bool writer_row(struct writer *writer, const struct row *row) {
    if (!writer_begin(writer))
        return false;
    char buf[ROWS_ROW_MAX];
    const size_t len = rows_row(&writer->form, row, !writer->any, buf);
    writer->any = true;
    return put(writer, buf, len);
}

bool writer_flush(struct writer *writer) {
    if (writer->error == 0 && fflush(writer->out) != 0)
        writer->error = errno;
    return writer->error == 0;
}

bool writer_end(struct writer *writer) {
    char buf[ROWS_ROW_MAX];
    return writer_begin(writer) && put(writer, buf, rows_end(&writer->form, buf)) &&
           writer_flush(writer);
}
