/* Preloaded into a program, counts what it allocates; the number goes to the file that
 * DEV_AFORO_MALLOCS names when the program ends. For bench/budget. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *old, size_t size);
void *aligned_alloc(size_t alignment, size_t size);
int posix_memalign(void **result, size_t alignment, size_t size);

static _Atomic unsigned long long allocations;

/* The function of that name in the library that would have been called. */
static void *next(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function) {
        abort();
    }
    return function;
}

#define COUNTED(type, name, ...)                                                                   \
    static type (*real)(__VA_ARGS__);                                                              \
    if (!real) {                                                                                   \
        *(void **)&real = next(#name);                                                             \
    }                                                                                              \
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed)

void *malloc(size_t size) {
    COUNTED(void *, malloc, size_t);
    return real(size);
}

void *calloc(size_t n, size_t size) {
    COUNTED(void *, calloc, size_t, size_t);
    return real(n, size);
}

void *realloc(void *old, size_t size) {
    COUNTED(void *, realloc, void *, size_t);
    return real(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    COUNTED(void *, aligned_alloc, size_t, size_t);
    return real(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    COUNTED(int, posix_memalign, void **, size_t, size_t);
    return real(result, alignment, size);
}

__attribute__((destructor)) static void report(void) {
    const char *path = getenv("DEV_AFORO_MALLOCS");
    const unsigned long long n = atomic_load(&allocations);
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%llu\n", n);
        fclose(file);
    }
}
