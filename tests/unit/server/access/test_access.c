#include "server/access/access.h"

#include "server/access/token_check.h"
#include "server/process/log.h"
#include "tests/unit/check_main.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OLD "Bearer old-token-0123456"
#define NEW "Bearer new-token-0123456"

static char dir[64], ingest_path[96], read_path[96];
static struct options options;

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void make_files(void) {
    snprintf(dir, sizeof dir, "/tmp/aforo-access-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(ingest_path, sizeof ingest_path, "%s/ingest", dir);
    snprintf(read_path, sizeof read_path, "%s/read", dir);
    write_file(ingest_path, OLD + 7);
    write_file(read_path, OLD + 7);
    options = (struct options){.ingest_token_file = ingest_path,
                               .read_token_file = read_path,
                               .tls_cert = "",
                               .tls_key = ""};
}

static void remove_files(void) {
    unlink(ingest_path);
    unlink(read_path);
    rmdir(dir);
}

START_TEST(what_is_not_asked_for_is_not_there) {
    const struct options none = {
        .ingest_token_file = "", .read_token_file = "", .tls_cert = "", .tls_key = ""};
    struct access access = {0};
    struct access_view view = {0};
    ck_assert(access_open(&access, &none));
    access_join(&access, &view);
    access_refresh_owner(&access, &view);
    ck_assert_ptr_null(view.ingest);
    ck_assert_ptr_null(view.read);
    ck_assert_uint_eq(view.seen, 1);
    access_close(&access);
}
END_TEST

START_TEST(what_is_wrong_is_not_opened) {
    const struct options rows[] = {
        {.ingest_token_file = "/nowhere", .read_token_file = "", .tls_cert = "", .tls_key = ""},
        {.ingest_token_file = "", .read_token_file = "/nowhere", .tls_cert = "", .tls_key = ""},
        {.ingest_token_file = "", .read_token_file = "", .tls_cert = "/nowhere", .tls_key = ""},
        {.ingest_token_file = "", .read_token_file = "", .tls_cert = "", .tls_key = "/nowhere"},
        {.ingest_token_file = "", .read_token_file = "", .tls_cert = "/no", .tls_key = "/no"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct access access = {0};
        ck_assert_msg(!access_open(&access, &rows[i]), "row %zu", i);
        access_close(&access);
    }
}
END_TEST

struct user {
    struct access *access;
    struct access_view view;
    _Atomic bool stop;
};

/* A worker: it looks at what is in force in every turn, and uses it until the next one. */
static void *use(void *cls) {
    struct user *user = cls;
    while (!atomic_load(&user->stop)) {
        access_refresh_owner(user->access, &user->view);
        for (int i = 0; i < 10; i++) {
            DEMAND(token_check_header(user->view.ingest, OLD) !=
                       token_check_header(user->view.ingest, NEW),
                   "neither the old tokens nor the new ones");
        }
    }
    return NULL;
}

START_TEST(workers_use_the_new_tokens_once_reload_has_returned) {
    struct access access = {0};
    struct user users[3];
    pthread_t threads[3];
    log_set_level(LOG_ERROR);
    make_files();
    ck_assert(access_open(&access, &options));
    memset(users, 0, sizeof users);
    for (int i = 0; i < 3; i++) {
        users[i].access = &access;
        access_join(&access, &users[i].view);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, use, &users[i]), 0);
    }
    for (int round = 0; round < 20; round++) {
        write_file(ingest_path, (round % 2 ? OLD : NEW) + 7);
        access_reload(&access, &options);
        ck_assert_uint_eq(access.generation, (uint64_t)round + 2);
        for (int i = 0; i < 3; i++) {
            ck_assert_uint_eq(users[i].view.seen, access.generation);
        }
    }
    write_file(ingest_path, "not a token\n"); /* what was read before stays in force */
    access_reload(&access, &options);
    for (int i = 0; i < 3; i++) {
        atomic_store(&users[i].stop, true);
        pthread_join(threads[i], NULL);
        ck_assert(token_check_header(users[i].view.ingest, OLD));
        ck_assert(token_check_header(users[i].view.read, OLD));
    }
    access_close(&access);
    remove_files();
}
END_TEST

CHECK_MAIN("access", what_is_not_asked_for_is_not_there, what_is_wrong_is_not_opened,
           workers_use_the_new_tokens_once_reload_has_returned)
