/* Any text as the URL of a Redis: what is accepted is within bounds, and says again what it says.
 */
#include "redis/url.h"
#include "tests/fuzz/check.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parts(const struct redis_url *url) {
    check(url->hosts <= REDIS_URL_HOSTS_MAX && (url->hosts > 0) == !*url->path);
    check((url->kind == REDIS_URL_SENTINEL) == (*url->master != '\0'));
    check(url->db >= 0 && (url->kind != REDIS_URL_CLUSTER || url->db == 0));
    check(strnlen(url->address, sizeof url->address) < sizeof url->address);
    for (unsigned i = 0; i < url->hosts; i++) {
        char address[REDIS_ADDRESS_MAX];
        check(url->host[i].port >= 1 && url->host[i].port <= UINT16_MAX && *url->host[i].name);
        check(strnlen(url->host[i].name, REDIS_URL_PART_MAX) < REDIS_URL_PART_MAX);
        redis_host_render(&url->host[i], address);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct redis_url url, again;
    char why[REDIS_URL_WHY_MAX] = "";
    char *text = malloc(size + 1);
    if (!text) {
        abort();
    }
    memcpy(text, data, size);
    text[size] = '\0';
    memset(&url, 0, sizeof url);
    memset(&again, 0, sizeof again);
    if (redis_url_parse(text, &url, why)) {
        check_parts(&url);
        check(url.tls == (strncmp(text, "rediss", 6) == 0));
        check(redis_url_parse(text, &again, why) && memcmp(&url, &again, sizeof url) == 0);
    } else {
        check(*why && strnlen(why, sizeof why) < sizeof why);
    }
    free(text);
    return 0;
}
