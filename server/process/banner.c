#include "server/process/banner.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define URL_MAX 160

/* The URL for a client on this machine. */
static void write_local_url(const char *address, bool tls, char url[URL_MAX]) {
    const char *port = strrchr(address, ':');
    const bool any_4 = strncmp(address, "0.0.0.0:", strlen("0.0.0.0:")) == 0;
    const bool any_6 = strncmp(address, "[::]:", strlen("[::]:")) == 0;
    snprintf(url, URL_MAX, "http%s://%s%s", tls ? "s" : "",
             any_4   ? "127.0.0.1"
             : any_6 ? "[::1]"
                     : "",
             port && (any_4 || any_6) ? port : address);
}

void banner_print(enum banner_when when, const struct banner *banner) {
    const bool out = isatty(STDOUT_FILENO), err = isatty(STDERR_FILENO);
    if (when == BANNER_OFF || (when == BANNER_AUTO && !out && !err)) {
        return;
    }
    FILE *stream = err && !out ? stderr : stdout;
    static const char token[] = " -H \"Authorization: Bearer TOKEN\"";
    const char *read_at = *banner->admin_address ? banner->admin_address : banner->address;
    char url[URL_MAX], read_url[URL_MAX];
    write_local_url(banner->address, banner->tls, url);
    write_local_url(read_at, banner->tls, read_url);
    fprintf(stream,
            "\naforod on %s (stop: Ctrl-C)\n\n"
            "  send an event:    curl -X POST%s %s/ --data \"value=$(date -u '+%%F %%T.%%6N')\"\n"
            "  see the counts:   curl%s \"%s/counts/1s?partial=1\"\n\n",
            url, banner->asks_writers ? token : "", url, banner->asks_readers ? token : "",
            read_url);
    fflush(stream);
}
