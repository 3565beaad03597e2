# One image for every service; the command says which. Built from pinned and hashed packages.
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/service.txt requirements/
# wheels only: nothing is compiled, and no package runs code of its own while it is installed
RUN python -m venv --without-pip /venv \
 && pip --python /venv/bin/python install --no-cache-dir --require-hashes --only-binary :all: \
    -r requirements/service.txt
COPY console console
COPY contracts contracts
COPY ingest ingest
COPY processors processors
COPY query query
COPY service service
# Only these of local/: the issuer is for development, see compose.yaml.
COPY local/__init__.py local/
COPY local/private.py local/
COPY local/issuer local/issuer

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --home-dir /app --shell /usr/sbin/nologin events \
 && install --directory --owner events --group events --mode 700 /data
COPY --from=build /venv /venv
COPY --from=build /src /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
# ingest, query, console: serve HTTP on EVENTS_HTTP__PORT; processors materialize|route|setup,
# and for operators processors audit|rebuild|accept-log|migrate
CMD ["python", "-m", "ingest"]
