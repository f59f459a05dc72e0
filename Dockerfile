# The server, the console program and the three scripts, on Debian.
#   docker build -t aforo . && docker run -p 8080:8080 -v aforo:/var/lib/aforo aforo
# The build stage is the same, line by line, in tsung/Dockerfile: whichever comes second finds it built.
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev cmake make pkg-config \
        libmicrohttpd-dev libjemalloc-dev libhiredis-dev libseccomp-dev libcurl4-openssl-dev \
        libyaml-dev libxxhash-dev libzstd-dev && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN cmake -S /src -B /build -DAFORO_TESTS=OFF && \
    cmake --build /build --parallel "$(nproc)" --target aforod aforo && \
    DESTDIR=/installed cmake --install /build --strip

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends libmicrohttpd12 libhiredis0.14 libjemalloc2 libseccomp2 libcurl4 libyaml-0-2 libzstd1 && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* && \
    useradd --uid 10001 --home-dir /var/lib/aforo --shell /usr/sbin/nologin aforo && \
    install -d -o aforo -g aforo -m 0750 /var/lib/aforo
COPY --from=build /installed/usr/local/bin /usr/local/bin
COPY deploy/entrypoint /usr/local/bin/aforo-entrypoint

USER 10001:10001
ENV AFORO_LISTEN=:8080 AFORO_STATE=/var/lib/aforo
VOLUME /var/lib/aforo
WORKDIR /var/lib/aforo
EXPOSE 8080
STOPSIGNAL SIGTERM
# The console program asks GET /healthz before it asks for counts.
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --retries=3 \
    CMD at=${AFORO_ADMIN_LISTEN:-$AFORO_LISTEN}; aforo 1min --last 1 --server "http://127.0.0.1:${at##*:}" >/dev/null || exit 1
ENTRYPOINT ["aforo-entrypoint"]
