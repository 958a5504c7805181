# One image for migrations, workers, beat and Flower: they differ by their command alone.

FROM python:3.11-slim-trixie AS build
WORKDIR /opt/source
COPY requirements.lock requirements-runtime.lock ./
# What runs: the very files of the lock, in an environment without pip.
RUN python -m venv /opt/build
RUN python -m venv --without-pip /opt/venv
RUN /opt/build/bin/pip --python /opt/venv/bin/python install --quiet --require-hashes -r requirements-runtime.lock
# What makes the wheel: setuptools, from the lock as well.
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements.lock > build.lock
RUN /opt/build/bin/pip install --quiet --require-hashes -r build.lock
COPY LICENSE README.md pyproject.toml celeryconfig.py ./
COPY domain ./domain
COPY tasks ./tasks
COPY worker ./worker
RUN /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /opt/wheels .
RUN /opt/build/bin/pip --python /opt/venv/bin/python install --quiet --no-deps --no-index /opt/wheels/*.whl

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
