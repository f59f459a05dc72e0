#include "server/process/banner.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define URL_MAX 160

bool banner_is_valid(const char *when) {
    return strcmp(when, "auto") == 0 || strcmp(when, "on") == 0 || strcmp(when, "off") == 0;
}

/* The URL that a client on this machine asks. */
static void local_url(const char *address, bool tls, char url[URL_MAX]) {
    const char *port = strrchr(address, ':');
    const bool any_4 = strncmp(address, "0.0.0.0:", strlen("0.0.0.0:")) == 0;
    const bool any_6 = strncmp(address, "[::]:", strlen("[::]:")) == 0;
    snprintf(url, URL_MAX, "http%s://%s%s", tls ? "s" : "",
             any_4   ? "127.0.0.1"
             : any_6 ? "[::1]"
                     : "",
             port && (any_4 || any_6) ? port : address);
}

void banner_print(const struct options *options, const char *address, const char *admin_address) {
    const bool out = isatty(STDOUT_FILENO), err = isatty(STDERR_FILENO);
    if (strcmp(options->banner, "off") == 0 ||
        (strcmp(options->banner, "auto") == 0 && !out && !err)) {
        return;
    }
    FILE *stream = err && !out ? stderr : stdout;
    static const char token[] = " -H \"Authorization: Bearer TOKEN\"";
    char url[URL_MAX], read_url[URL_MAX];
    local_url(address, *options->tls_cert, url);
    local_url(*admin_address ? admin_address : address, *options->tls_cert, read_url);
    fprintf(stream,
            "\naforod on %s (stop: Ctrl-C)\n\n"
            "  send an event:    curl -X POST%s %s/ --data \"value=$(date -u '+%%F %%T.%%6N')\"\n"
            "  see the counts:   curl%s \"%s/counts/1s?partial=1\"\n\n",
            url, *options->ingest_token_file ? token : "", url,
            *options->read_token_file ? token : "", read_url);
    fflush(stream);
}
