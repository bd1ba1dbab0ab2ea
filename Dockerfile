# Tidegate as a small image that runs without root.
#
#   docker build -t tidegate .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges \
#     -v ./tidegate.toml:/etc/tidegate/tidegate.toml:ro -v tidegate:/var/lib/tidegate tidegate
#
# BASE may be any image that has Python 3.11 or later as `python`, pip, and a shell.
ARG BASE=python:3.12-slim
FROM ${BASE}
LABEL org.opencontainers.image.title="Tidegate" \
      org.opencontainers.image.description="A fail-closed security proxy for the Model Context Protocol" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY . /src
# The folder is for the audit log and all else that outlives the container; the rest may be read-only.
RUN python -m pip install --no-cache-dir --quiet --root-user-action=ignore /src \
 && python -c "import os; os.makedirs('/var/lib/tidegate'); os.chown('/var/lib/tidegate', 65532, 65532)"

ENV PYTHONUNBUFFERED=1 \
    XDG_STATE_HOME=/var/lib \
    TIDEGATE_HEALTH_URL=http://127.0.0.1:8812/healthz
WORKDIR /var/lib/tidegate
USER 65532:65532

# Asks the `admin` address of the settings: where they name another, set TIDEGATE_HEALTH_URL to it as well.
# The empty ProxyHandler keeps the question inside the container.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["python", "-c", \
  "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(os.environ['TIDEGATE_HEALTH_URL'], timeout=4)"]
ENTRYPOINT ["tidegate"]
CMD ["run", "/etc/tidegate/tidegate.toml"]
