#include "view/report_answer.h"

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

/* The rows of the next window that are meant; false: the reader failed. Adds to *looked_at. */
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
    return report_query_choose(&answer->question.query, &answer->rows);
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
            report_rows_end(&form, text);
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
