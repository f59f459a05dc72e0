/* Compares the rows of a report in two sources as text, which is the same wherever it is written.
 * In "2016-05-28 11:11:00.000, flight=AA1, count=3 sum(seconds)=38", everything before the last
 * part names the row. */
#include "tools/console/diff_side.h"
#include "tools/console/report_source.h"
#include "tools/console/terminal.h"
#include "view/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_LEN 23 /* 2016-05-28 11:11:00.000 */

struct line {
    const char *text;
    size_t name_len, len; /* without the LF */
};

struct side_rows {
    struct report_words words;
    struct text text;
    struct line *line; /* [n], by name */
    size_t n;
};

static bool keep(void *cls, const char *bytes, size_t len) {
    struct text *text = cls;
    text_add(text, bytes, len);
    return !text->failed;
}

static bool load(void *cls, struct source *source, char *why) {
    struct side_rows *rows = cls;
    const struct text_taker taker = {keep, &rows->text};
    const enum report_outcome outcome = source->reports->rows(source, &rows->words, &taker, why);
    if (outcome == REPORT_STOPPED)
        snprintf(why, SOURCE_WHY_MAX, "out of memory");
    return outcome == REPORT_DONE;
}

/* Finds which window is meant if the words do not say: an answer in JSON tells. */
static bool find_window(struct source *source, const struct report_words *words, char name[16],
                        char *why) {
    static const char before[] = "\"window\":\"";
    struct report_words asked = *words;
    struct text text = {0};
    const struct text_taker taker = {keep, &text};
    asked.format = ROWS_JSON;
    asked.from_us = asked.to_us = 0;
    const enum report_outcome outcome = source->reports->rows(source, &asked, &taker, why);
    if (outcome == REPORT_STOPPED)
        snprintf(why, SOURCE_WHY_MAX, "out of memory");
    text_add(&text, "", 1);
    const char *at = text.failed ? NULL : strstr(text.bytes, before);
    snprintf(name, 16, "%.*s", at != NULL ? (int)strcspn(at + sizeof before - 1, "\"") : 0,
             at != NULL ? at + sizeof before - 1 : "");
    text_free(&text);
    return outcome == REPORT_DONE;
}

/* Bounds the words if windows must be over. */
static bool bound(const struct diff_side side[2], const struct diff_question *question,
                  char name[16], struct report_words *words, char *why) {
    int64_t width_us;
    struct source *asked = side[0].source != NULL ? side[0].source : side[1].source;
    if (question->over_us == 0 || asked == NULL)
        return true;
    if (words->window == NULL) {
        if (!find_window(asked, words, name, why))
            return false;
        words->window = name;
    }
    if (report_width_read(words->window, strlen(words->window), &width_us))
        words->to_us = diff_question_end(question, width_us);
    return true;
}

/* Where the figures begin: after the last ", " outside of quotes and lists. A list is a value that
 * begins with `[`; any other value has that character in quotes or further on, where it is its own
 * (text_add_plain). */
static size_t find_name_end(const char *text, size_t len) {
    size_t end = 0;
    bool quoted = false, list = false;
    for (size_t i = 0; i + 1 < len; i++) {
        const char c = text[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' && i > 0 && text[i - 1] == '=') {
            list = true;
        } else if (c == ']') {
            list = false;
        } else if (c == ',' && text[i + 1] == ' ' && !list) {
            end = i;
        }
    }
    return end;
}

static int compare_names(const void *left, const void *right) {
    const struct line *a = left, *b = right;
    const size_t least = a->name_len < b->name_len ? a->name_len : b->name_len;
    const int order = memcmp(a->text, b->text, least);
    return order != 0 ? order : (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

static bool split(struct side_rows *rows, char *why) {
    const struct text *text = &rows->text;
    size_t lines = 0;
    for (size_t at = 0; at < text->len; at++)
        lines += text->bytes[at] == '\n';
    rows->line = calloc(lines + 1, sizeof *rows->line);
    if (rows->line == NULL) {
        snprintf(why, SOURCE_WHY_MAX, "out of memory");
        return false;
    }
    for (size_t at = 0; at < text->len && rows->n < lines;) {
        const char *begin = text->bytes + at;
        const char *end = memchr(begin, '\n', text->len - at);
        const size_t len = end != NULL ? (size_t)(end - begin) : text->len - at;
        rows->line[rows->n++] = (struct line){begin, find_name_end(begin, len), len};
        at += len + 1;
    }
    if (rows->n > 0)
        qsort(rows->line, rows->n, sizeof *rows->line, compare_names);
    return true;
}

/* ---- the comparison ---- */

static void print_values(const struct line *line) {
    const size_t from = line != NULL && line->name_len > 0 ? line->name_len + 2 : 0;
    if (line == NULL)
        printf("-");
    else
        printf("%.*s", (int)(line->len - from), line->text + from);
}

/* name: the line of either side that exists. */
static void print_difference(const struct line *name, const struct line *left,
                             const struct line *right) {
    printf("%.*s: ", (int)name->name_len, name->text);
    print_values(left);
    printf(" | ");
    print_values(right);
    printf("\n");
}

/* How many lines belong to windows that the other side no longer has, or never had. */
static size_t find_first(const struct side_rows *rows, const struct side_rows *other) {
    size_t first = 0;
    while (other->n > 0 && first < rows->n &&
           memcmp(rows->line[first].text, other->line[0].text, START_LEN) < 0)
        first++;
    return first;
}

static void compare(const struct side_rows *left, const struct side_rows *right,
                    struct diff_tally *tally) {
    size_t i = find_first(left, right), j = find_first(right, left);
    while (i < left->n || j < right->n) {
        const struct line *a = i < left->n ? &left->line[i] : NULL;
        const struct line *b = j < right->n ? &right->line[j] : NULL;
        assert(a != NULL || b != NULL);
        const int order = b == NULL ? -1 : a == NULL ? 1 : compare_names(a, b);
        i += order <= 0;
        j += order >= 0;
        tally->compared++;
        if (order == 0 && a->len == b->len && memcmp(a->text, b->text, a->len) == 0)
            continue;
        tally->differ++;
        print_difference(order <= 0 ? a : b, order <= 0 ? a : NULL, order >= 0 ? b : NULL);
    }
}

bool diff_rows(struct diff_side side[2], const struct diff_question *question, const char *report,
               const char *window, struct diff_tally *tally, char why[SOURCE_WHY_MAX]) {
    char name[16];
    struct report_words words = {.name = report,
                                 .window = window,
                                 .from_us = question->from_us,
                                 .to_us = question->to_us,
                                 .partial = true,
                                 .format = ROWS_TEXT,
                                 .now_us = question->now_us};
    bool well = bound(side, question, name, &words, why);
    struct side_rows rows[2] = {{.words = words}, {.words = words}};
    for (int i = 0; i < 2 && well; i++) {
        const struct diff_taker taker = {load, &rows[i]};
        well = diff_side_each(&side[i], &taker, why) && split(&rows[i], why);
    }
    if (well)
        compare(&rows[0], &rows[1], tally);
    for (int i = 0; i < 2; i++) {
        text_free(&rows[i].text);
        free(rows[i].line);
    }
    return well;
}
