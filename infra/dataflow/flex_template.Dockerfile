# The launcher of the Dataflow flex template: plans, submits the GPU stage, waits for it, and writes the tables.
#
#   docker build -f infra/dataflow/flex_template.Dockerfile -t REGION-docker.pkg.dev/PROJECT/REPO/funasr-launcher:0.1.0 .
#   gcloud dataflow flex-template build gs://BUCKET/funasr-beam.json --image ...:0.1.0 --sdk-language PYTHON \
#     --metadata-file infra/dataflow/metadata.json
FROM gcr.io/dataflow-templates-base/python311-template-launcher-base:20260101-rc00 AS launcher

FROM registry.example.com/funasr-beam-dataflow:0.1.0
COPY --from=launcher /opt/google/dataflow/python_template_launcher /opt/google/dataflow/python_template_launcher
COPY infra/dataflow/main.py /template/main.py
ENV FLEX_TEMPLATE_PYTHON_PY_FILE=/template/main.py
ENTRYPOINT ["/opt/google/dataflow/python_template_launcher"]
