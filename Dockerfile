# The locked environment without the tools of development, owned by root and run by nobody in particular.
FROM python:3.11-slim AS build
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PROJECT_ENVIRONMENT=/opt/crossdock
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /src
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-dev --no-install-project
COPY . .
RUN uv sync --locked --no-dev --no-editable

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home crossdock
COPY --from=build /opt/crossdock /opt/crossdock
ENV PATH=/opt/crossdock/bin:$PATH PYTHONUNBUFFERED=1
# A container is reached only through the port that was mapped: map it to 127.0.0.1, or put a proxy before it.
ENV CROSSDOCK_HOST=0.0.0.0 CROSSDOCK_AUTH=upstream CROSSDOCK_CONFIG=/etc/crossdock/gateway.toml
USER crossdock
WORKDIR /tmp
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s CMD ["python", "-c", \
    "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ.get(\"CROSSDOCK_PORT\", 8000)}/health/live', timeout=2)"]
ENTRYPOINT ["crossdock"]
CMD ["serve"]
