# The image that the CWL tools name: docker build --tag cryoverdict:0.1.0 .
FROM python:3.11-slim-bookworm

LABEL org.opencontainers.image.title="cryoverdict" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"

# Runners start a tool as the user who calls them, in a folder of their own.
ENV PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1

# Newer releases bring gigabytes of CUDA along; name another build to use a GPU.
ARG TORCH=torch==2.13.0

WORKDIR /opt/cryoverdict
COPY pyproject.toml README.md LICENSE ./
COPY features features
COPY rules rules
COPY engine engine
COPY reports reports
COPY cwl cwl
RUN pip install "${TORCH}" && pip install ".[classify,models]" && cryoverdict --version

USER nobody
WORKDIR /work
CMD ["cryoverdict", "--help"]
