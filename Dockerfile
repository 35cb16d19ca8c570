# syntax=docker/dockerfile:1
# One container that keeps its data properly: Scriza, and MongoDB's own server as its child process.
# The steps are those of `make run`.

FROM mongo:8.0.17-noble AS base
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/*

FROM base AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY Makefile pyproject.toml requirements.lock README.md LICENSE ./
COPY src src
COPY adapters adapters
RUN UV_COMPILE_BYTECODE=1 make install

FROM base
LABEL org.opencontainers.image.title="Scriza" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --create-home --home-dir /var/lib/scriza --shell /usr/sbin/nologin scriza
COPY --from=build /app /app
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SCRIZA_HOST=0.0.0.0 \
    SCRIZA_DATA_DIR=/var/lib/scriza/data \
    SCRIZA_LOG=json
USER 10001
WORKDIR /var/lib/scriza
VOLUME /var/lib/scriza
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('SCRIZA_PORT', '8000') + '/health/ready', timeout=2)"]
ENTRYPOINT ["scriza"]
CMD ["serve"]
