# The harness: drives load, judges, reports. Built from the root of the checkout.
FROM python:3.12-slim-bookworm AS build
# The compiler of the core comes from the package index where the image has none.
WORKDIR /src
COPY . .
RUN python -m venv /opt/tidegate \
    && /opt/tidegate/bin/pip install --no-cache-dir -c constraints.txt '.[stack]'

FROM python:3.12-slim-bookworm
RUN useradd --uid 10001 --create-home tidegate && install -d -o tidegate /srv/tidegate /srv/tidegate/runs
COPY --from=build /opt/tidegate /opt/tidegate
USER 10001
WORKDIR /srv/tidegate
ENV PATH=/opt/tidegate/bin:$PATH PYTHONUNBUFFERED=1
ENTRYPOINT ["tidegate"]
CMD ["--help"]
