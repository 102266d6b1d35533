ARG BASE=python:3.11-slim-bookworm

# --- The environment is built here, and only its folder goes on -------------------------------
FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python3 -m venv /opt/danshi

# The dependencies change seldom, the code often: two layers.
COPY pyproject.toml constraints.txt ./
# With OpenVINO: where the image will run is not known, and with AMX it is twice as fast.
RUN python3 -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *p['optional-dependencies']['openvino'], sep='\n')" > requirements.txt \
 && /opt/danshi/bin/pip install --requirement requirements.txt --constraint constraints.txt
# jieba compiles its dictionary, a second's work, where the service looks for it first.
RUN TMPDIR=/opt/danshi /opt/danshi/bin/python -c "import jieba; jieba.initialize()" \
 && chmod a+r /opt/danshi/jieba.cache

COPY LICENSE NOTICE ./
COPY models models
COPY service service
COPY training training
# The model is a folder of the image, not a part of the package: it can be mounted over.
RUN mv models/released /opt/model && chmod -R a+rX /opt/model \
 && /opt/danshi/bin/pip install --no-deps . \
 && /opt/danshi/bin/pip uninstall --yes --quiet setuptools pip

# --- What runs ---------------------------------------------------------------------------------
FROM ${BASE}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="danshi" \
      org.opencontainers.image.description="Chinese sentiment over REST: label, polarity and clauses" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

RUN groupadd --system --gid 10001 danshi \
 && useradd --system --uid 10001 --gid danshi --no-create-home --home-dir /tmp --shell /usr/sbin/nologin danshi

COPY --from=build /opt/danshi /opt/danshi
COPY --from=build /opt/model /model

# 0.0.0.0 is the container's own interface; what the world sees is what the host publishes.
# ONNX Runtime would report to its maker.
ENV PATH=/opt/danshi/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    DANSHI_MODEL_DIR=/model \
    DANSHI_HOST=0.0.0.0 \
    DANSHI_PORT=8000

# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000

HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['DANSHI_PORT'] + '/health/ready', timeout=2)"]

# Exec form: the service is process 1, SIGTERM reaches it, and it answers what it has accepted.
ENTRYPOINT ["danshi"]
CMD ["serve"]
