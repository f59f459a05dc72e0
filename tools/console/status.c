/* See status.h. */
#include "tools/console/status.h"

#include "tools/console/json_value.h"
#include "tools/console/reach.h"
#include "tools/console/terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX_BYTES (512 * 1024) /* /stats of as many threads as a server may have */
#define CELL_MAX 256

enum column { SERVER, NODE, STATUS, UP, RECEIVED, COUNTED, REFUSED, CONNECTIONS, STORE, COLUMNS };

static const char *const titles[COLUMNS] = {"SERVER",  "NODE",    "STATUS",      "UP",   "RECEIVED",
                                            "COUNTED", "REFUSED", "CONNECTIONS", "STORE"};
static const bool to_the_right[COLUMNS] = {
    [UP] = true, [RECEIVED] = true, [COUNTED] = true, [REFUSED] = true, [CONNECTIONS] = true};

struct line {
    char cell[COLUMNS][CELL_MAX];
};

/* Sums over the servers that reported a value. */
struct sums {
    uint64_t column[COLUMNS];
};

static bool read_number(const char *page, const char *path, int64_t *number) {
    char text[32], *end;
    if (!json_value(page, path, text, sizeof text))
        return false;
    *number = strtoll(text, &end, 10);
    return *end == '\0' && end != text;
}

static void put_up(int64_t ms, char *cell) {
    const int64_t s = ms / 1000, min = s / 60, h = min / 60;
    if (h >= 48)
        snprintf(cell, CELL_MAX, "%" PRId64 "d%02" PRId64 "h", h / 24, h % 24);
    else if (h > 0)
        snprintf(cell, CELL_MAX, "%" PRId64 "h%02" PRId64 "m", h, min % 60);
    else
        snprintf(cell, CELL_MAX, "%" PRId64 "m%02" PRId64 "s", min, s % 60);
}

/* Puts what /healthz says; false: its store is away. */
static bool put_health(const char *page, struct line *line) {
    char word[CELL_MAX];
    int64_t lag_ms = 0;
    json_value(page, "node", line->cell[NODE], CELL_MAX);
    json_value(page, "store.configured", word, sizeof word);
    if (strcmp(word, "true") != 0) {
        snprintf(line->cell[STORE], CELL_MAX, "none");
        return true;
    }
    json_value(page, "store.connected", word, sizeof word);
    const bool connected = strcmp(word, "true") == 0;
    if (connected && read_number(page, "store.lag_ms", &lag_ms)) {
        snprintf(line->cell[STORE], CELL_MAX, "connected, lag %" PRId64 " ms", lag_ms);
    } else if (!connected) {
        json_value(page, "store.last_error", word, sizeof word);
        snprintf(line->cell[STORE], CELL_MAX, "away%s%.200s", *word != '\0' ? ": " : "", word);
    }
    return connected;
}

/* Puts what /stats says; refused is what was received and not counted. */
static bool put_stats(const char *page, struct line *line, struct sums *sums) {
    int64_t up_ms, received, counted, connections;
    if (!read_number(page, "uptime_ms", &up_ms) || !read_number(page, "received", &received) ||
        !read_number(page, "counted", &counted) || !read_number(page, "connections", &connections))
        return false;
    const int64_t number[COLUMNS] = {[RECEIVED] = received,
                                     [COUNTED] = counted,
                                     [REFUSED] = received - counted,
                                     [CONNECTIONS] = connections};
    put_up(up_ms, line->cell[UP]);
    for (int c = RECEIVED; c <= CONNECTIONS; c++) {
        snprintf(line->cell[c], CELL_MAX, "%" PRId64, number[c]);
        sums->column[c] += (uint64_t)number[c];
    }
    return true;
}

/* Asks one server; false: something is wrong, and a message was printed. */
static bool ask_server(const struct source_config *config, struct source_page *page,
                       struct line *line, struct sums *sums) {
    char why[SOURCE_WHY_MAX];
    for (int c = 0; c < COLUMNS; c++)
        snprintf(line->cell[c], CELL_MAX, "-");
    snprintf(line->cell[SERVER], CELL_MAX, "%s", config->place);
    snprintf(line->cell[STATUS], CELL_MAX, "away");
    struct source *source = source_server_new(config, why);
    if (source == NULL) {
        terminal_complain("%s", why);
        return false;
    }
    bool well = source_server_page(source, "/healthz", page, why);
    if (well && !json_value(page->text, "status", line->cell[STATUS], CELL_MAX)) {
        snprintf(line->cell[STATUS], CELL_MAX, "unknown");
        snprintf(why, sizeof why, "server %.200s: what answers there is not an aforod",
                 config->place);
        well = false;
    }
    const bool store_is_well = !well || put_health(page->text, line);
    if (well) {
        well = source_server_page(source, "/stats", page, why) && page->status == 200;
        if (well && !put_stats(page->text, line, sums)) {
            snprintf(why, sizeof why, "server %.200s: its /stats cannot be read", config->place);
            well = false;
        }
    }
    source->ops->close(source);
    if (!well)
        terminal_complain("%s", why);
    return well && store_is_well;
}

static void print_table(const struct line *line, unsigned n, FILE *out) {
    size_t width[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) {
        width[c] = strlen(titles[c]);
        for (unsigned i = 0; i < n; i++)
            width[c] = strlen(line[i].cell[c]) > width[c] ? strlen(line[i].cell[c]) : width[c];
    }
    for (unsigned i = 0; i <= n; i++) {
        for (int c = 0; c < COLUMNS; c++) {
            const char *text = i == 0 ? titles[c] : line[i - 1].cell[c];
            /* no blanks at the end of a line */
            const int wide = c + 1 < COLUMNS ? (int)width[c] : 0;
            if (c + 1 < COLUMNS || *text != '\0')
                fprintf(out, "%s%*s", c > 0 ? "  " : "", to_the_right[c] ? wide : -wide, text);
        }
        fputc('\n', out);
    }
}

bool status_print(const struct source_config *config, const char *const *place, unsigned n,
                  FILE *out) {
    struct source_page page = {.text = malloc(PAGE_MAX_BYTES), .cap = PAGE_MAX_BYTES};
    struct line *line = calloc(n + 1, sizeof *line);
    struct sums sums = {{0}};
    const bool room = page.text != NULL && line != NULL;
    bool well = room, lost = false;
    if (!well)
        terminal_complain("out of memory");
    for (unsigned i = 0; i < n && room; i++) {
        struct source_config one = *config;
        one.place = place[i];
        well = ask_server(&one, &page, &line[i], &sums) && well;
        lost = lost || reach_is_lost();
        for (int c = 0; c < COLUMNS; c++) {
            char safe[CELL_MAX];
            snprintf(line[i].cell[c], CELL_MAX, "%s",
                     terminal_safe(line[i].cell[c], safe, sizeof safe));
        }
    }
    reach_note(lost);
    if (room) {
        snprintf(line[n].cell[SERVER], CELL_MAX, "%u servers", n);
        for (int c = RECEIVED; c <= CONNECTIONS; c++)
            snprintf(line[n].cell[c], CELL_MAX, "%" PRIu64, sums.column[c]);
        print_table(line, n > 1 ? n + 1 : n, out);
    }
    free(line);
    free(page.text);
    return well;
}
