# The kit as a user who is not root. docs/containers.md says how to run it, and with which
# flags submissions are confined in it as on a machine of one's own.
FROM python:3.12-slim-bookworm

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --uid 1000 student
USER 1000
WORKDIR /home/student/cnn-labkit

# The environment first: it changes seldom.
COPY --chown=student:student Makefile pyproject.toml requirements.lock requirements-student.lock LICENSE ./
COPY --chown=student:student docs/package.md docs/package.md
COPY --chown=student:student labkit/__init__.py labkit/__init__.py
COPY --chown=student:student notebooks notebooks
COPY --chown=student:student datasets datasets
RUN make setup
ENV PATH=/home/student/cnn-labkit/.venv/bin:$PATH

COPY --chown=student:student . .
# Copying has made pyproject.toml and the locks newer; they are the same.
RUN touch .venv/.student .venv/.ready

CMD ["make", "demo"]
