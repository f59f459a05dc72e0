/* Any text as a condition. What is refused has its place within the text, and a sentence; what is
 * taken prints as a text that is taken again, prints the same, and says the same of an event. */
#include "reports/condition.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fields_config fields = {
    .n = 4,
    .field = {{.name = "route", .type = FIELD_TEXT},
              {.name = "ms", .type = FIELD_INT},
              {.name = "price", .type = FIELD_DECIMAL, .decimals = 2},
              {.name = "s", .type = FIELD_TEXT}}};

/* Events of which the bits of `which` say what they have. */
static struct record make_record(unsigned which) {
    struct record record = {.present = which & 15, .unfit = which >> 4 & which & 15};
    record.value[0] = (struct aforo_value){"/pay", 4, AFORO_TEXT, 0};
    record.value[1] = (struct aforo_value){"", 0, AFORO_NUMBER, which * 7 - 300};
    record.value[2] = (struct aforo_value){"", 0, AFORO_NUMBER, 1250};
    record.value[3] = (struct aforo_value){"", 0, AFORO_TEXT, 0};
    return record;
}

static void check_again(const struct condition *condition) {
    static char text[CONDITION_BYTES_MAX + 1], again[CONDITION_BYTES_MAX + 1];
    char why[CONDITION_WHY_MAX];
    size_t at;
    if (condition_print(condition, &fields, text, sizeof text) >= CONDITION_BYTES_MAX) {
        abort();
    }
    struct condition *second = condition_new(&fields, text, &at, why);
    if (!second || condition_fields(second) != condition_fields(condition)) {
        abort();
    }
    condition_print(second, &fields, again, sizeof again);
    if (strcmp(text, again) != 0) {
        abort();
    }
    for (unsigned which = 0; which < 256; which += 5) {
        const struct record record = make_record(which);
        if (condition_holds(condition, &record) != condition_holds(second, &record)) {
            abort();
        }
    }
    condition_free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1), why[CONDITION_WHY_MAX] = "";
    size_t at = SIZE_MAX;
    if (!text) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    struct condition *condition = condition_new(&fields, text, &at, why);
    if (condition) {
        check_again(condition);
    } else if (at > strlen(text) || why[0] == '\0') {
        abort();
    }
    condition_free(condition);
    free(text);
    return 0;
}
