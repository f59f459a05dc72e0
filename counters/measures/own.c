#define XXH_INLINE_ALL
#include "counters/measures/own.h"

#include "counters/measures/figure.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SYMBOL "aforo_measure"
#define STATE_WORDS (AFORO_STATE_MAX / sizeof(uint64_t))

/* A loaded kind and where it is from. */
struct own_kind {
    struct measure_kind kind;
    const struct aforo_measure *table;
    void *handle;    /* of the shared object, open until the end */
    char *path;      /* with symbolic links resolved */
    char *given;     /* as first given */
    uint32_t number; /* for own_enter */
};

static struct own_kind own[OWN_MAX];
static size_t owned;
static struct own_aside aside[OWN_MAX];
static size_t set_aside;
static bool sealed;

/* The config of a measure of this kind. */
struct own_config {
    const struct aforo_measure *table;
    void *config; /* the measure's own */
    size_t state_bytes;
    uint32_t number; /* for own_enter */
};

static const struct own_config *config_of(const struct measure *measure) {
    return measure->config;
}

/* ---- a kind's functions ---- */

static const char *own_open(struct measure *measure) {
    const struct own_kind *kind = (const struct own_kind *)measure->kind;
    struct own_config *own_config = calloc(1, sizeof *own_config);
    if (!own_config) {
        return "out of memory";
    }
    own_config->table = kind->table;
    own_config->number = kind->number;
    own_enter(kind->number);
    const char *why = kind->table->open(measure->argument_text, &own_config->config);
    own_config->state_bytes = why ? 0 : kind->table->state_bytes(own_config->config);
    own_leave();
    if (why) {
        free(own_config);
        return why;
    }
    measure->config = own_config;
    measure->words = (own_config->state_bytes + sizeof(uint64_t) - 1) / sizeof(uint64_t);
    if (own_config->state_bytes == 0 || own_config->state_bytes > AFORO_STATE_MAX) {
        kind->kind.close(measure);
        return "its state is empty or has more than 4096 bytes";
    }
    return NULL;
}

static void own_close(struct measure *measure) {
    const struct own_config *config = config_of(measure);
    if (config->table->close) {
        own_enter(config->number);
        config->table->close(config->config);
        own_leave();
    }
    free(measure->config);
    measure->config = NULL;
}

/* Works on a copy, and notes every word that changed. */
static void own_add(const struct measure *measure, const struct measure_target *target,
                    const struct aforo_event *event) {
    const struct own_config *config = config_of(measure);
    uint64_t state[STATE_WORDS];
    for (size_t i = 0; i < measure->words; i++) {
        state[i] = measure_word(target, i);
    }
    own_enter(config->number);
    config->table->add(config->config, state, event);
    own_leave();
    for (size_t i = 0; i < measure->words; i++) {
        if (state[i] != measure_word(target, i)) {
            measure_put(target, i, state[i]);
        }
    }
}

static void own_merge(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    const struct own_config *config = config_of(measure);
    own_enter(config->number);
    config->table->merge(config->config, into, from);
    own_leave();
}

static void own_emit(const struct measure *measure, const uint64_t *state,
                     const struct component_taker *taker) {
    uint64_t any = 0;
    for (size_t i = 0; i < measure->words; i++) {
        any |= state[i];
    }
    if (any != 0) {
        taker->take(taker->cls, &(struct component){.name = measure->text,
                                                    .rule = COMPONENT_BLOB,
                                                    .bytes = (const unsigned char *)state,
                                                    .len = config_of(measure)->state_bytes});
    }
}

static bool own_absorb(const struct measure *measure, uint64_t *state,
                       const struct component *component) {
    uint64_t told[STATE_WORDS] = {0};
    if (component->rule != COMPONENT_BLOB || strcmp(component->name, measure->text) != 0 ||
        component->len != config_of(measure)->state_bytes) {
        return false;
    }
    memcpy(told, component->bytes, component->len);
    own_merge(measure, state, told);
    return true;
}

static size_t own_puts(const struct measure *measure) {
    return measure->words;
}

size_t own_print(const struct measure *measure, const uint64_t *state, char *text, size_t size) {
    const struct own_config *config = config_of(measure);
    text[0] = '\0';
    own_enter(config->number);
    const size_t len = config->table->print(config->config, state, text, size);
    own_leave();
    text[size - 1] = '\0';
    return len < size ? strlen(text) : size - 1;
}

/* ---- loading ---- */

const struct measure_kind *own_at(size_t i) {
    return i < owned ? &own[i].kind : NULL;
}

/* Whether a figure can have this name. */
static bool is_name(const char *name) {
    const size_t len = name ? strnlen(name, MEASURE_NAME_MAX) : 0;
    return len > 0 && len < MEASURE_NAME_MAX && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

/* Whether this program can call the functions of a table. */
static bool check_table(const struct aforo_measure *table, const char *path,
                        char why[OWN_WHY_MAX]) {
    if (table->abi != AFORO_MEASURE_ABI || table->struct_bytes != sizeof *table) {
        snprintf(why, OWN_WHY_MAX,
                 "%s: made for version %u of aforo/measure.h (%u bytes), this is version %d (%zu "
                 "bytes); compile it with this header",
                 path, table->abi, table->struct_bytes, AFORO_MEASURE_ABI, sizeof *table);
        return false;
    }
    if (!is_name(table->name)) {
        snprintf(why, OWN_WHY_MAX,
                 "%s: its name is no measure's name: at most %d of a-z, 0-9 and _, a letter first",
                 path, MEASURE_NAME_MAX - 1);
        return false;
    }
    if (!table->open || !table->state_bytes || !table->add || !table->merge || !table->print) {
        snprintf(why, OWN_WHY_MAX, "%s: `%s` lacks one of open, state_bytes, add, merge, print",
                 path, table->name);
        return false;
    }
    if (figure_is_taken(table->name)) {
        snprintf(why, OWN_WHY_MAX,
                 "%.400s: there is a measure called `%s` already; give it another name", path,
                 table->name);
        return false;
    }
    return true;
}

/* Opens a shared object; when it is no measure, closes it again and returns false. */
static bool open_object(const char *path, struct own_kind *kind, char why[OWN_WHY_MAX]) {
    own_enter(kind->number); /* loading may call constructors */
    kind->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    own_leave();
    if (!kind->handle) {
        snprintf(why, OWN_WHY_MAX, "%s", dlerror()); /* its message names the file */
        return false;
    }
    kind->table = dlsym(kind->handle, SYMBOL);
    if (!kind->table) {
        snprintf(why, OWN_WHY_MAX, "%s: has no `const struct aforo_measure " SYMBOL "`", path);
    } else if (check_table(kind->table, path, why)) {
        return true;
    }
    dlclose(kind->handle);
    return false;
}

static struct own_kind *find_path(const char *path) {
    for (size_t i = 0; i < owned; i++) {
        if (strcmp(own[i].path, path) == 0) {
            return &own[i];
        }
    }
    return NULL;
}

/* Loads a file as the next kind, which takes over `path`. On false, nothing was taken over. */
static bool load(char *path, const struct own_crash *crash, char why[OWN_WHY_MAX]) {
    struct own_kind *kind = &own[owned];
    kind->number = own_crashes_number(crash);
    if (!open_object(path, kind, why)) {
        return false;
    }
    own_crashes_name(crash, kind->table->name);
    kind->path = path;
    kind->kind = (struct measure_kind){.name = kind->table->name,
                                       .class = MEASURE_NEWEST,
                                       .wants = MEASURE_WANTS_OWN,
                                       .open = own_open,
                                       .close = own_close,
                                       .add = own_add,
                                       .merge = own_merge,
                                       .emit = own_emit,
                                       .absorb = own_absorb,
                                       .puts = own_puts};
    owned++;
    return true;
}

void own_seal(void) {
    sealed = true;
}

/* ---- what has crashed too often ---- */

const struct own_aside *own_find_aside(const char *name, size_t len) {
    for (size_t i = 0; i < set_aside; i++) {
        const char *its = aside[i].crash->name;
        if (strlen(its) == len && memcmp(its, name, len) == 0) {
            return &aside[i];
        }
    }
    return NULL;
}

void own_explain_aside(const struct own_aside *found, char why[OWN_WHY_MAX]) {
    snprintf(why, OWN_WHY_MAX,
             "its measure `%s` has ended the server %u times, at last by %s; put a mended file in "
             "the place of %.200s, and start the server again",
             found->crash->name, found->crash->crashes, own_crashes_cause(found->crash),
             found->path);
}

/* Without knowing its name, nobody can tell which reports use it. */
static const struct measure_kind *put_aside(const char *path, const struct own_crash *crash,
                                            char why[OWN_WHY_MAX]) {
    if (!*crash->name) {
        snprintf(why, OWN_WHY_MAX,
                 "%.300s: has ended the server %u times while it was loaded, at last by %s; put a "
                 "mended file there, or take it out",
                 path, crash->crashes, own_crashes_cause(crash));
        return NULL;
    }
    struct own_aside *made = &aside[set_aside];
    made->crash = crash;
    made->path = strdup(path);
    if (!made->path) {
        snprintf(why, OWN_WHY_MAX, "out of memory");
        return NULL;
    }
    set_aside++;
    return &measure_absent;
}

/* ---- files ---- */

static const struct measure_kind *find_given(const char *path) {
    for (size_t i = 0; i < owned; i++) {
        if (own[i].given && strcmp(own[i].given, path) == 0) {
            return &own[i].kind;
        }
    }
    for (size_t i = 0; i < set_aside; i++) {
        if (strcmp(aside[i].path, path) == 0) {
            return &measure_absent;
        }
    }
    return NULL;
}

/* The digest of a file's bytes, whatever its name; 0 when it cannot be read, which dlopen will
 * report. */
static uint64_t find_digest(const char *path) {
    FILE *file = fopen(path, "rbe");
    XXH3_state_t *state = XXH3_createState();
    uint64_t digest = 0;
    if (file && state && XXH3_64bits_reset(state) == XXH_OK) {
        char bytes[16384];
        size_t n;
        do {
            n = fread(bytes, 1, sizeof bytes, file);
            XXH3_64bits_update(state, bytes, n);
        } while (n == sizeof bytes);
        digest = ferror(file) ? 0 : XXH3_64bits_digest(state);
    }
    XXH3_freeState(state);
    if (file) {
        fclose(file);
    }
    return digest;
}

/* Loads a file for the first time. `real` is freed or becomes the kind's. */
static const struct measure_kind *load_new(const char *path, char *real, char why[OWN_WHY_MAX]) {
    if (owned + set_aside == OWN_MAX) {
        snprintf(why, OWN_WHY_MAX, "%.400s: at most %d measures of your own are loaded", path,
                 OWN_MAX);
        free(real);
        return NULL;
    }
    const uint64_t digest = find_digest(real);
    const struct own_crash *crash = digest ? own_crashes_find(digest) : NULL;
    if (crash && crash->crashes >= OWN_CRASHES_ASIDE) {
        free(real);
        return put_aside(path, crash, why);
    }
    if (!load(real, crash, why)) {
        free(real);
        return NULL;
    }
    own[owned - 1].given = strdup(path);
    return &own[owned - 1].kind;
}

const struct measure_kind *own_load(const char *path, char why[OWN_WHY_MAX]) {
    const struct measure_kind *given = find_given(path);
    if (given) {
        return given;
    }
    if (sealed) {
        snprintf(why, OWN_WHY_MAX,
                 "%.300s: was not there at the start, and measures are loaded at no other time: "
                 "start the program again",
                 path);
        return NULL;
    }
    char *real = realpath(path, NULL);
    if (!real) {
        snprintf(why, OWN_WHY_MAX, "%.400s: cannot be opened: %m", path);
        return NULL;
    }
    const struct own_kind *kind = find_path(real);
    if (kind) {
        free(real);
        return &kind->kind;
    }
    return load_new(path, real, why);
}
