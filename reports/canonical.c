#include "reports/canonical.h"

#include "reports/read.h"

/* Whether text[0..len), which number_read accepted, is what report_key_number writes: no leading
 * zeros, no exponent, exactly that many decimals, and no sign for zero. */
static bool is_canonical(const struct aforo_value *value, unsigned decimals) {
    const char *at = value->text, *const end = at + value->len;
    at += value->number < 0;
    const size_t tail = decimals > 0 ? decimals + 1 : 0;
    if ((size_t)(end - at) <= tail || (*at == '0' && (size_t)(end - at) > tail + 1))
        return false;
    for (const char *const point = end - tail; at < point; at++) {
        if (*at < '0' || *at > '9')
            return false;
    }
    if (tail > 0 && *at++ != '.')
        return false;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
    }
    return true;
}

const struct aforo_value *canonical_value(struct canonical *canonical, unsigned i,
                                          unsigned decimals, const struct aforo_value *value) {
    if (__builtin_expect(is_canonical(value, decimals), 1))
        return value;
    char *text = canonical->text[i];
    const size_t len = report_key_number(value->number, decimals, text, CANONICAL_MAX);
    canonical->value[i] = (struct aforo_value){text, (uint32_t)len, AFORO_NUMBER, value->number};
    return &canonical->value[i];
}
