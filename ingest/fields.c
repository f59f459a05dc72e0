#include "ingest/field_names.h"

#include <assert.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define FIRST_SEED UINT64_C(0x9e3779b97f4a7c15) /* odd, like those that follow */
#define SEED_STEP UINT64_C(0x3c6ef372fe94f82a)
#define SEEDS 256
#define SETTLED_MAX 256 /* names; with more, some always collide */

static _Atomic uint64_t made; /* sets in this process */

static const char *const usual_times[] = {"timestamp", "@timestamp", "time", "date"};
#define USUAL_TIMES (sizeof usual_times / sizeof usual_times[0])

const char *field_time_name(const struct fields *fields, unsigned rank) {
    if (rank == 0) {
        return "value";
    }
    return fields->config.times > 0 ? fields->config.time[rank - 1] : usual_times[rank - 1];
}

static unsigned count_times(const struct fields_config *config) {
    return 1 + (config->times > 0 ? config->times : (unsigned)USUAL_TIMES);
}

void field_explain_no_time(const struct fields *fields, char why[RECORD_WHY_MAX]) {
    static const char rest[] = " (--time-field names others); --clock arrival needs none";
    const unsigned n = count_times(&fields->config);
    size_t len = (size_t)snprintf(why, RECORD_WHY_MAX, "no time: %s", n > 1 ? "one of " : "");
    for (unsigned i = 0; i < n; i++) {
        const char *name = field_time_name(fields, i);
        if (len + strlen(name) + sizeof ", ..." + sizeof rest > RECORD_WHY_MAX) {
            len += (size_t)snprintf(why + len, RECORD_WHY_MAX - len, ", ...");
            break;
        }
        len += (size_t)snprintf(why + len, RECORD_WHY_MAX - len, "%s%s", i > 0 ? ", " : "", name);
    }
    snprintf(why + len, RECORD_WHY_MAX - len, "%s", rest);
}

/* Puts an entry into the first empty slot from its own on. False when its own was taken. */
static bool put_entry(struct fields *fields, struct field_entry entry) {
    const struct field_name name = {entry.name, 0, entry.first, entry.second};
    const uint32_t own = field_hash(entry.key, &name, fields->seed) & fields->mask;
    uint32_t i = own;
    while (fields->entry[i].node != FIELD_UNKNOWN) {
        i = (i + 1) & fields->mask;
    }
    fields->entry[i] = entry;
    return i == own;
}

/* Fills an empty table, hashing with a seed; returns how many entries are not in their own
 * slots. */
static unsigned put_entries(struct fields *fields, const struct field_entry *entries, unsigned n,
                            uint64_t seed) {
    unsigned displaced = 0;
    fields->seed = seed;
    memset(fields->entry, 0, (fields->mask + (size_t)1) * sizeof *fields->entry);
    for (unsigned i = 0; i < n; i++) {
        displaced += !put_entry(fields, entries[i]);
    }
    return displaced;
}

/* Looks for a seed that gives each name a slot of its own; for the few names that most definitions
 * have there is one. False when memory runs out. */
static bool settle_entries(struct fields *fields) {
    struct field_entry *entries = malloc(fields->nodes * sizeof *entries);
    if (entries == NULL) {
        return false;
    }
    unsigned n = 0;
    for (size_t i = 0; i <= fields->mask; i++) {
        if (fields->entry[i].node != FIELD_UNKNOWN) {
            entries[n++] = fields->entry[i];
        }
    }
    uint64_t seed = FIRST_SEED, best = seed;
    unsigned fewest = UINT_MAX;
    for (int i = 0; i < SEEDS && fewest > 0 && n <= SETTLED_MAX; i++) {
        const unsigned displaced = put_entries(fields, entries, n, seed);
        if (displaced < fewest) {
            fewest = displaced;
            best = seed;
        }
        seed += SEED_STEP;
    }
    put_entries(fields, entries, n, best);
    free(entries);
    return true;
}

/* The node of a name, made when it does not exist. */
static unsigned make_node(struct fields *fields, unsigned under, const char *text, size_t len) {
    const struct field_name name = field_name_of(text, len);
    const unsigned found = field_find(fields, under, &name);
    if (found != FIELD_UNKNOWN) {
        return found;
    }
    const unsigned node = fields->nodes++;
    put_entry(fields, (struct field_entry){.first = name.first,
                                           .second = name.second,
                                           .key = field_key(under, &name),
                                           .node = node,
                                           .name = text});
    fields->node[node].time = FIELD_NO_TIME;
    fields->node[under].inner = true;
    return node;
}

static unsigned make_place(struct fields *fields, const struct field_place *place) {
    const char *name = place->name;
    unsigned node = FIELD_ROOT + place->source;
    if (place->source == FIELD_JSON) {
        for (const char *point; (point = strchr(name, '.')) != NULL; name = point + 1) {
            node = make_node(fields, node, name, (size_t)(point - name));
        }
    }
    return make_node(fields, node, name, strlen(name));
}

/* The event time is a member of the object, or a name on the line. */
static void make_times(struct fields *fields) {
    for (unsigned rank = 0; rank < count_times(&fields->config); rank++) {
        const char *name = field_time_name(fields, rank);
        const unsigned json = make_node(fields, FIELD_ROOT + FIELD_JSON, name, strlen(name));
        const unsigned line = make_node(fields, FIELD_ROOT + FIELD_LINE, name, strlen(name));
        if (fields->node[json].time == FIELD_NO_TIME) { /* named twice: the first counts */
            fields->node[json].time = fields->node[line].time = (uint8_t)rank;
        }
    }
}

static void add_header(struct fields *fields, const char *name) {
    for (unsigned i = 0; i < fields->headers; i++) {
        if (strcasecmp(fields->header[i], name) == 0) {
            return;
        }
    }
    fields->header[fields->headers++] = name;
}

/* First makes nodes for all places, then gives each node its targets, next to each other. */
static void make_places(struct fields *fields) {
    unsigned node_of[FIELDS_MAX][FIELD_PLACES_MAX];
    const struct fields_config *config = &fields->config;
    for (unsigned i = 0; i < config->n; i++) {
        for (unsigned rank = 0; rank < config->field[i].places; rank++) {
            const struct field_place *place = &config->field[i].place[rank];
            fields->used[place->source] = true;
            node_of[i][rank] = FIELD_UNKNOWN;
            if (place->source == FIELD_HEADER) {
                add_header(fields, place->name);
                continue;
            }
            node_of[i][rank] = make_place(fields, place);
            fields->node[node_of[i][rank]].targets++;
        }
    }
    unsigned targets = 0;
    for (unsigned node = 0; node < fields->nodes; node++) {
        fields->node[node].target = (uint16_t)targets;
        targets += fields->node[node].targets;
        fields->node[node].targets = 0;
    }
    for (unsigned i = 0; i < config->n; i++) {
        for (unsigned rank = 0; rank < config->field[i].places; rank++) {
            struct field_node *node = &fields->node[node_of[i][rank]];
            if (node_of[i][rank] != FIELD_UNKNOWN) {
                fields->target[node->target + node->targets++] = (struct field_target){
                    (uint8_t)i, (uint8_t)rank, field_decimals(&config->field[i])};
            }
        }
    }
}

/* An upper bound of the number of nodes: each dot in a path starts another name. */
static size_t bound_nodes(const struct fields_config *config) {
    size_t nodes = FIELD_ROOT + FIELD_SOURCES + 2 * (size_t)count_times(config);
    for (unsigned i = 0; i < config->n; i++) {
        for (unsigned rank = 0; rank < config->field[i].places; rank++) {
            nodes++;
            for (const char *c = config->field[i].place[rank].name; *c != '\0'; c++) {
                nodes += *c == '.';
            }
        }
    }
    return nodes;
}

struct fields *fields_new(const struct fields_config *config) {
    assert(config->n <= FIELDS_MAX && config->times <= FIELD_TIMES_MAX);
    struct fields *fields = calloc(1, sizeof *fields);
    if (fields == NULL) {
        return NULL;
    }
    const size_t nodes = bound_nodes(config);
    assert(nodes <= FIELD_NODES_MAX);
    size_t places = 64;
    while (places < 4 * nodes) {
        places *= 2;
    }
    fields->number = 1 + atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
    fields->config = *config;
    fields->node = calloc(nodes, sizeof *fields->node);
    fields->entry = calloc(places, sizeof *fields->entry);
    if (fields->node == NULL || fields->entry == NULL) {
        fields_free(fields);
        return NULL;
    }
    fields->mask = (uint32_t)(places - 1);
    fields->seed = FIRST_SEED;
    fields->nodes = FIELD_ROOT + FIELD_SOURCES;
    for (unsigned node = 0; node < fields->nodes; node++) {
        fields->node[node].time = FIELD_NO_TIME;
    }
    make_times(fields);
    make_places(fields);
    if (!settle_entries(fields)) {
        fields_free(fields);
        return NULL;
    }
    return fields;
}

void fields_free(struct fields *fields) {
    if (fields) {
        free(fields->node);
        free(fields->entry);
        free(fields);
    }
}

unsigned fields_count(const struct fields *fields) {
    return fields->config.n;
}

const struct field *fields_at(const struct fields *fields, unsigned i) {
    return &fields->config.field[i];
}

const char *fields_header(const struct fields *fields, unsigned i) {
    return i < fields->headers ? fields->header[i] : NULL;
}

bool fields_use(const struct fields *fields, enum field_source source) {
    return fields->used[source];
}

bool fields_use_name(const struct fields *fields, enum field_source source, const char *name) {
    const struct field_name wanted = field_name_of(name, strlen(name));
    const unsigned node = field_find(fields, FIELD_ROOT + source, &wanted);
    return node != FIELD_UNKNOWN && fields->node[node].targets > 0;
}
