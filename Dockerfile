# Both environments and a checkout: docker build -t newsrec . && docker run --rm -it newsrec
# With a GPU: docker build --build-arg VLLM=cuda -t newsrec . && docker run --gpus all --rm -it newsrec
FROM python:3.11-slim-bookworm AS base
SHELL ["/bin/bash", "-eu", "-o", "pipefail", "-c"]
# What the README asks for, a compiler for what vLLM compiles, a browser for one test.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install -y --no-install-recommends build-essential chromium git make && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --uid 1000 --create-home --shell /bin/bash newsrec && \
    install -d -o newsrec /newsrec
USER 1000
WORKDIR /newsrec

FROM base
# cpu or cuda: the build machine has no GPU from which the Makefile could tell.
ARG VLLM=cpu
ENV VLLM=$VLLM
# Only what the environments are made from, so that other changes leave this layer as it is.
COPY --chown=1000 Makefile pyproject.toml README.md requirements*.txt ./
COPY --chown=1000 newsrec/__init__.py newsrec/
RUN make env
COPY --chown=1000 . .
CMD ["make", "repro"]
