# One image for migrations, workers, beat and Flower: they differ by their command alone.

FROM python:3.11-slim-trixie AS build
WORKDIR /opt/source
COPY requirements.lock requirements-runtime.lock ./
# uv installs what the lock lists and nothing else, whatever pip the base image has.
RUN sed -n '/^uv==/,/[^\\]$/p' requirements.lock > uv.lock
RUN python -m pip install --quiet --no-deps --require-hashes --target /opt/build -r uv.lock
# What runs, in an environment without pip. Nothing compiles it later: nobody can write there.
RUN python -m venv --without-pip /opt/venv
RUN /opt/build/bin/uv pip sync --quiet --python /opt/venv/bin/python --compile-bytecode --require-hashes requirements-runtime.lock
COPY LICENSE README.md pyproject.toml celeryconfig.py ./
COPY artifact_pipeline ./artifact_pipeline
COPY legacy ./legacy
COPY domain ./domain
COPY tasks ./tasks
COPY worker ./worker
# setuptools, which builds the wheel, comes from the lock as well.
RUN /opt/build/bin/uv build --quiet --wheel --build-constraints requirements.lock --require-hashes --out-dir /opt/wheels
RUN /opt/build/bin/uv pip install --quiet --python /opt/venv/bin/python --compile-bytecode --no-deps --no-index /opt/wheels/*.whl

FROM python:3.11-slim-trixie
LABEL org.opencontainers.image.title="artifact-pipeline" \
      org.opencontainers.image.description="Queued, resumable transfers of simulation artifacts" \
      org.opencontainers.image.licenses="Apache-2.0"
# The owner of the workspace on the host: workers read it, and write what they download.
ARG UID=1000
ARG GID=1000
RUN pip uninstall --quiet --yes --root-user-action=ignore pip setuptools wheel \
 && groupadd --non-unique --gid "$GID" artifacts \
 && useradd --non-unique --uid "$UID" --gid artifacts --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin artifacts
COPY --from=build /opt/venv /opt/venv
# Flower takes a path; within the environment it would have the version of Python in it.
COPY worker/flowerconfig.py /etc/artifacts/flowerconfig.py
# The bytecode was compiled at the installation, and nobody may write beside it. Logs are not held back.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER artifacts
CMD ["artifacts", "--help"]
