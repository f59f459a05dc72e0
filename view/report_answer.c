#include "view/report_answer.h"

#include <stdio.h>

static struct report_form form_of(const struct report_question *question) {
    return (struct report_form){.format = question->format,
                                .zone = question->zone,
                                .fields = question->query.fields,
                                .report = question->query.report,
                                .width = question->query.width};
}

static int64_t width_us_of(const struct report_question *question) {
    return question->query.report->table.width_us[question->query.width];
}

bool report_answer_begin(struct report_answer *answer, const struct report_question *question) {
    *answer = (struct report_answer){.question = *question};
    const enum query_outcome outcome =
        report_query_find(&answer->question.query, &answer->question.reader, question->now_us,
                          &answer->next, &answer->end);
    if (outcome == QUERY_NOTHING) {
        answer->next = answer->end = 0;
    }
    return outcome != QUERY_FAILED;
}

/* Reads the rows of the next window that the question means; false: the reader failed. Adds to
 * *looked_at. */
static bool read_window(struct report_answer *answer, size_t *looked_at) {
    const struct report_reader *reader = &answer->question.reader;
    report_rows_free(&answer->rows);
    answer->rows = (struct report_rows){0};
    answer->row = 0;
    const int64_t window = answer->next++;
    bool any = true;
    if (reader->holds && !reader->holds(reader->cls, window, &any)) {
        return false;
    }
    *looked_at += 1;
    if (!any) {
        return true;
    }
    if (!reader->read(reader->cls, window, &answer->rows)) {
        return false;
    }
    *looked_at += answer->rows.n;
    const struct report_query *query = &answer->question.query;
    for (size_t i = 0; i < answer->rows.n && answer->written == 0; i++) {
        answer->left_out = true;
        answer->others |= report_query_may_hold(query, &answer->rows.row[i]);
    }
    return report_query_choose(query, &answer->rows);
}

/* Whether the query would find windows with rows; false also when the reader fails. */
static bool finds_rows(const struct report_answer *answer, const struct report_query *query) {
    int64_t first, end;
    return report_query_find(query, &answer->question.reader, answer->question.now_us, &first,
                             &end) == QUERY_ROWS;
}

/* Why the answer is empty. */
static const char *find_reason(const struct report_answer *answer) {
    struct report_query query = answer->question.query;
    if (answer->left_out) {
        return "no row has what where asks for";
    }
    query.partial = true;
    if (finds_rows(answer, &query)) {
        return "the windows with rows are not over (partial=1 shows them)";
    }
    query.from_us = 0;
    query.to_us = QUERY_TO_NONE;
    return finds_rows(answer, &query) ? "no rows in that span" : "no event has matched the report";
}

/* Writes what follows the rows. In JSON, an empty answer says why it is empty. */
static void write_end(const struct report_answer *answer, struct text *text) {
    const struct report_form form = form_of(&answer->question);
    const char *earlier = answer->question.earlier;
    char why[REPORT_WHY_MAX] = "";
    if (answer->written == 0 && form.format == ROWS_JSON) {
        snprintf(why, sizeof why, "%s%s%s%s%s", find_reason(answer),
                 answer->others ? "; " REPORT_WITHIN_OTHER : "",
                 *earlier ? "; an earlier definition has rows: " : "", earlier,
                 *earlier ? ", in the state directory and in Redis" : "");
    }
    report_rows_end(&form, why, text);
}

static void write_row(struct report_answer *answer, struct text *text) {
    const struct report_question *question = &answer->question;
    const struct report_form form = form_of(question);
    const int64_t width_us = width_us_of(question), end_us = answer->next * width_us;
    const struct report_window window = {
        end_us - width_us, window_state_of_end(end_us, question->now_us, question->horizon_us)};
    report_rows_add(&form, &window, &answer->rows.row[answer->row++], answer->written++ == 0, text);
}

enum report_answer_outcome report_answer_write(struct report_answer *answer, size_t enough,
                                               struct text *text) {
    const struct report_form form = form_of(&answer->question);
    const size_t pace = answer->question.pace;
    size_t looked_at = 0;
    if (!answer->begun) {
        report_rows_begin(&form, text);
        answer->begun = true;
    }
    while (text->len < enough && !answer->ended && !text->failed &&
           (pace == 0 || looked_at < pace)) {
        if (answer->row < answer->rows.n) {
            write_row(answer, text);
        } else if (answer->next == answer->end) {
            write_end(answer, text);
            answer->ended = true;
        } else if (!read_window(answer, &looked_at)) {
            return REPORT_ANSWER_FAILED;
        }
    }
    return text->failed    ? REPORT_ANSWER_FAILED
           : answer->ended ? REPORT_ANSWER_ENDED
                           : REPORT_ANSWER_MORE;
}

void report_answer_free(struct report_answer *answer) {
    report_rows_free(&answer->rows);
    *answer = (struct report_answer){0};
}
