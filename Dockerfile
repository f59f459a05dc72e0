# The server, the console program and the three scripts, on Debian.
#   docker build -t aforo . && docker run -p 8080:8080 -v aforo:/var/lib/aforo aforo
#   docker build --build-arg DEBIAN=bookworm ...     on Debian 12 instead of 13
# tools/image builds it with its commit in the labels, and lists what is in it.
# The build stage is the same, line by line, in tsung/Dockerfile: on the same Debian, whichever comes second finds it built.
ARG DEBIAN=trixie
FROM debian:${DEBIAN}-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev cmake ninja-build pkg-config \
        libmicrohttpd-dev libjemalloc-dev libhiredis-dev libseccomp-dev libcurl4-openssl-dev \
        libgnutls28-dev libyaml-dev libxxhash-dev libzstd-dev && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN cmake -G Ninja -S /src -B /build -DAFORO_TESTS=OFF -DAFORO_PROGRAMS_ONLY=ON && \
    cmake --build /build --parallel "$(nproc)" --target aforod aforo && \
    DESTDIR=/installed cmake --install /build --strip
# The packages of the libraries that the programs need: their names are not the same in every Debian.
RUN readelf --dynamic /installed/usr/local/bin/aforod /installed/usr/local/bin/aforo | sed -n 's|.*(NEEDED).*\[\(.*\)\]|*-linux-gnu/\1|p' | \
    sort -u | xargs dpkg-query --search | cut -d: -f1 | sort -u >/installed/packages

FROM debian:${DEBIAN}-slim
COPY --from=build /installed/packages /tmp/packages
RUN apt-get update && xargs apt-get install -y --no-install-recommends </tmp/packages && \
    rm -rf /tmp/packages /var/lib/apt/lists/* /var/cache/apt/* /var/log/* && \
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

ARG DEBIAN
ARG VERSION=0.2.0
ARG REVISION=
LABEL org.opencontainers.image.title="aforo" \
      org.opencontainers.image.description="Exact counter of timestamped HTTP events" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/debian:${DEBIAN}-slim"
