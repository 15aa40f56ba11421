# The reference target. It runs on the processor too, where the container gets no GPU. Built from the root of the
# checkout. torch's wheels bring CUDA's libraries, so the smallest CUDA image suffices: it says which driver it needs.
FROM nvidia/cuda:13.0.2-base-ubuntu24.04 AS python
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/*

FROM python AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN python3 -m venv /opt/tidegate \
    && /opt/tidegate/bin/pip install --no-cache-dir -c constraints.txt '.[target]'

FROM python
RUN useradd --uid 10001 --create-home tidegate && install -d -o tidegate /home/tidegate/.cache
COPY --from=build /opt/tidegate /opt/tidegate
USER 10001
WORKDIR /home/tidegate
ENV PATH=/opt/tidegate/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 8000
ENTRYPOINT ["tidegate-target"]
CMD ["serve", "--host", "0.0.0.0"]
