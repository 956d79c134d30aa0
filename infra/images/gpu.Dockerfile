# One image for everything that runs our code on a cluster: worker pools, nightly commands, Dataflow's workers.
#
#   docker build -f infra/images/gpu.Dockerfile --target command  -t registry.example.com/funasr-beam:0.1.0 .
#   docker build -f infra/images/gpu.Dockerfile --target dataflow -t registry.example.com/funasr-beam-dataflow:0.1.0 .
#
# CUDA's libraries come with PyTorch's wheels; the host gives the driver (NVIDIA container toolkit, or Dataflow's
# install-nvidia-driver). Without a GPU the same image works on the CPU.
FROM python:3.11-slim-bookworm AS command
WORKDIR /src
COPY constraints.txt setup.py pyproject.toml README.md LICENSE ./
COPY model model
COPY pipeline pipeline
COPY transforms transforms
RUN pip install --no-cache-dir --constraint constraints.txt . \
    && useradd --create-home --uid 1000 funasr
USER 1000
WORKDIR /home/funasr
ENTRYPOINT ["funasr-beam"]
CMD ["--help"]

# Dataflow starts its workers through Beam's own boot program.
FROM apache/beam_python3.11_sdk:2.77.0 AS beam

FROM command AS dataflow
# As root, like Beam's own images.
# hadolint ignore=DL3002
USER 0
COPY --from=beam /opt/apache/beam /opt/apache/beam
RUN pip install --no-cache-dir --constraint /src/constraints.txt "/src[gcp]"
ENTRYPOINT ["/opt/apache/beam/boot"]
CMD []
