# The program `lifestream`: bridge, materializer and the rest of the pipeline, without a server of its own.
#
#   docker build -f docker/lifestream.Dockerfile -t lifestream .
#
# The publisher may write to /var/lib/lifestream/feed, the gateway listens where LIFESTREAM_GATEWAY_LISTEN says: compose.yaml shows both.
ARG RUST=rust:1.95-bookworm
ARG BASE=debian:bookworm-slim

FROM ${RUST} AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc g++ make pkg-config libssl-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --locked --release --package lifestream

FROM ${BASE}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 lifestream \
    && useradd --uid 10001 --gid lifestream --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin lifestream \
    && install --directory --owner=lifestream --group=lifestream /var/lib/lifestream/feed
COPY --from=build /src/target/release/lifestream /usr/local/bin/lifestream
USER lifestream
EXPOSE 8080
ENTRYPOINT ["lifestream"]
CMD ["up"]
