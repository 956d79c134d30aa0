"""Every setting with its type, default, limits and meaning, and which of them can change a transcript."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from funasr_beam.model.errors import UsageError
from funasr_beam.model.languages import LANGUAGE_CODES, language_code
from funasr_beam.model.metrics.groups import parse_grouping
from funasr_beam.model.segmentation import SegmentationConfig
from funasr_beam.model.storable import is_storable
from funasr_beam.model.storage import is_glob
from funasr_beam.pipeline.refused import refuse_runner


def _share(value: Any) -> Any:
    """`5%` as 0.05."""
    if not isinstance(value, str):
        return value
    try:
        return float(value[:-1]) / 100 if value.endswith("%") else float(value)
    except ValueError as error:
        raise ValueError("is neither a percentage such as 5% nor a share such as 0.05") from error


Share = Annotated[float, BeforeValidator(_share), Field(ge=0.0, le=1.0)]


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]
"""A list of texts; a single text stands for a list of one."""

Inputs = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_one_or_many)]
"""The same of places, none of them empty: that would be the folder in which the command runs."""


Address = Annotated[str, Field(pattern=r"^[^\s/:]+:\d{1,5}$")]
"""HOST:PORT."""


Retry = Literal["passing", "failed", "partial", "all"]
"""Which finished recordings are tried again."""


class Section(BaseModel):
    """A frozen group of settings that knows no other keys than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _check_text(cls, value: Any) -> Any:
        """What a command line may hold and no file that a run writes."""
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not is_storable(text):
                raise ValueError("is not valid UTF-8")
        return value


class PlanConfig(Section):
    """How the work is cut into pieces."""

    unit_s: float = Field(
        0.0,
        ge=0,
        description="Audio seconds (each channel counts) of one unit of work; small runs use less. 0: half an hour, or "
        "two hours where the recogniser runs on GPUs, which write all texts of a unit together.",
    )
    span_s: float = Field(600.0, ge=1, description="Longest span of one recording; longer recordings become several.")
    probe_above_kb: int = Field(
        512,
        ge=0,
        description="Larger files are opened in the plan to learn their length, smaller ones only by a worker.",
    )
    probes: int = Field(
        0, ge=0, description="Files opened at once in the plan; 0: one for each core, 16 on a remote storage."
    )
    border_window_s: float = Field(
        5.0, ge=0.1, description="Where a long recording is cut: the quietest place at most this far from the border."
    )


class DecodeConfig(Section):
    """How media files are opened and decoded."""

    stall_s: float = Field(60.0, gt=0, description="A decoder that makes no progress for this long is stopped.")
    memory_mb: int = Field(2048, ge=256, description="Memory limit of the decoder process (MiB).")


class SegmentationSection(Section):
    """Where speech is found and how it is cut."""

    target_s: float = Field(28.0, ge=1, description="Neighbouring speech is merged up to this length.")
    max_s: float = Field(30.0, ge=1, le=120, description="No segment is longer; the checkpoint's own limit also holds.")
    threshold: Share = Field(0.5, description="Speech probability that starts a speech interval.")
    neg_threshold: Share = Field(0.35, description="Speech probability below which an interval ends.")
    min_silence_s: float = Field(0.3, ge=0, description="Shorter pauses do not end an interval.")
    min_speech_s: float = Field(0.1, ge=0, description="Shorter intervals are dropped.")
    pad_s: float = Field(0.2, ge=0, description="Audio kept on both sides of an interval.")
    merge_gap_s: float = Field(1.0, ge=0, description="Longest pause that may stay inside a segment.")

    @model_validator(mode="after")
    def _limits_fit(self) -> "SegmentationSection":
        if self.target_s > self.max_s:
            raise ValueError(f"target_s = {self.target_s:g}: is over segmentation.max_s = {self.max_s:g}")
        if self.neg_threshold > self.threshold:
            raise ValueError(f"neg_threshold = {self.neg_threshold:g}: is over threshold = {self.threshold:g}")
        return self


class BatchingConfig(Section):
    """How segments share a pass through the recogniser; never changes the text."""

    max_padded_s: float = Field(
        0.0, ge=0, description="Seconds of one batch, padding counted; 0: what suits the device and its memory."
    )
    max_items: int = Field(0, ge=0, description="Segments of one batch; 0: what suits the device and its memory.")


class RecognitionConfig(Section):
    """What the recogniser is told; a manifest may say otherwise for one recording."""

    language: str | None = Field(
        None, description="Language of all recordings, code or name; not set: the model decides."
    )
    hotwords: Texts = Field((), description="Words to expect in all recordings.")
    hotwords_file: str | None = Field(
        None, description="Text file or URI with more hotwords, one to a line; lines that start with # are ignored."
    )
    context: str | None = Field(None, description="Background text for all recordings.")
    itn: Literal["rules", "model", "none"] = Field(
        "rules", description="Inverse text normalization: by rules (words keep their times), by the model, or none."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where the recogniser runs; auto and cuda: on every GPU of the first one's kind."
    )
    audio_tokens: Literal["checkpoint", "low", "all"] = Field(
        "checkpoint", description="Audio tokens for the language model: as the checkpoint says, low (an eighth) or all."
    )
    encoder_precision: Literal["auto", "float32", "tf32", "bfloat16"] = Field(
        "auto",
        description="Number type of Fun-ASR-Nano's encoder and adaptor; tf32: float32 whose products a GPU rounds to "
        "11 bits; auto: tf32 on a GPU whose language model computes in bfloat16, else float32. bfloat16 may change a "
        "text, tf32 rarely does.",
    )
    llm_precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Number type of the language model (Whisper: of the whole model); auto: bfloat16 on a GPU "
        "that has it (compute capability 8.0), else float32. "
        "bfloat16 may change a text; it is faster on a CPU with avx512_bf16 or amx_bf16.",
    )
    process: Literal["auto", "own", "shared"] = Field(
        "auto",
        description="Where the model is loaded: in a process of its own for each device, or in the worker's, shared "
        "with all else; auto: its own on a GPU.",
    )
    repair: bool = Field(
        True, description="Whether a text that a guard flags is recognised again; if not, it is only flagged."
    )

    @field_validator("language")
    @classmethod
    def _known_language(cls, value: str | None) -> str | None:
        try:
            return language_code(value)
        except ValueError as error:
            raise ValueError(str(error).partition(": ")[2]) from error


class RemoteConfig(Section):
    """How a remote model is asked; the key stands in the environment of the workers, never here."""

    timeout_s: float = Field(120.0, gt=0, description="Longest wait for one whole answer.")
    attempts: int = Field(6, ge=1, description="How often a segment is sent before it fails.")
    max_in_flight: int = Field(8, ge=1, le=256, description="Requests in flight of one worker process.")
    requests_per_minute: float = Field(0.0, ge=0, description="Limit of one worker process; 0: none.")
    api_key_variable: str = Field(
        "FUNASR_BEAM_API_KEY",
        min_length=1,
        description="Environment variable with the key; without it none is sent.",
    )


class AlignmentConfig(Section):
    """Where the times of words come from; a segment whose times cannot be believed has none."""

    aligner: Literal["auto", "ctc", "qwen3", "wav2vec2", "none"] = Field(
        "auto",
        description="ctc: the checkpoint's own head; qwen3, wav2vec2: a model that only aligns; none: no word times; "
        "auto: the head; where there is none, those of the two below that are set.",
    )
    qwen3: str | None = Field(
        None, description="Hub id or folder of Qwen3-ForcedAligner (zh en yue fr de it ja ko pt ru es)."
    )
    wav2vec2: dict[str, str] = Field(
        {}, description="Language code -> hub id or folder of a CTC model of letters; `*`: of one for romanised text."
    )
    min_score: float | None = Field(
        None, ge=0, le=1, description="Least alignment_score for word times; not set: the aligner's own limit."
    )

    @field_validator("wav2vec2")
    @classmethod
    def _known_languages(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = [code for code in value if code != "*" and code not in LANGUAGE_CODES]
        if unknown:
            raise ValueError(f'"{unknown[0]}" is no language code, nor * for all others')
        return value


class RunnerConfig(Section):
    """Where and how wide the pipeline runs."""

    name: Annotated[Literal["local", "flink", "dataflow", "spark"], BeforeValidator(refuse_runner)] = Field(
        "local", description="The engine."
    )
    workers: int = Field(
        0,
        ge=0,
        description="Units at once; 0: one for each core, at most 8 for each GPU, or each slot of a Flink cluster.",
    )
    flink_master: Address | None = Field(None, description="HOST:PORT of Flink's REST interface.")
    job_endpoint: Address | None = Field(
        None,
        description="HOST:PORT of Beam's job server; not set: port 8099 of the Flink master (Spark: here).",
    )
    worker_pool: Address = Field(
        "localhost:50000", description="HOST:PORT where the cluster's workers find `funasr-beam worker-pool`."
    )
    accelerator: str | None = Field(None, description="GPU of Dataflow's workers, such as nvidia-l4.")
    options: Texts = Field((), description="Further Beam options, passed on as they are.")

    @field_validator("options")
    @classmethod
    def _no_other_runner(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(option.partition("=")[0].strip() == "--runner" for option in value):
            raise ValueError("--runner is chosen by runner.name")
        return value

    @model_validator(mode="after")
    def _cluster_is_named(self) -> "RunnerConfig":
        if self.name == "flink" and self.flink_master is None:
            raise ValueError("flink_master: is required for Flink, such as --flink-master localhost:8081")
        return self


class MetricsConfig(Section):
    """What a run counts of itself."""

    group_by: Texts = Field(
        ("language", "channel", "folder"),
        description="Groups for which metrics are counted, too: language, channel, folder, metadata.NAME, a column of "
        "recordings, or several with commas.",
    )
    cpu_hour: float = Field(0.0, ge=0, description="Price of an hour of one CPU core, for the cost of a run.")
    gpu_hour: float = Field(0.0, ge=0, description="Price of an hour of a GPU.")

    @field_validator("group_by")
    @classmethod
    def _known_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(parse_grouping(text).name for text in value)
        except UsageError as error:
            raise ValueError("; ".join(error.problems)) from error


class Config(Section):
    """Everything that one run needs to know."""

    input: Inputs = Field(min_length=1, description="Folders, files, globs, URIs or manifests.")
    output: str = Field(min_length=1, description="Folder or URI for the tables.")
    model: str = Field(
        "fun-asr-nano",
        min_length=1,
        description="fun-asr-nano, fun-asr-mlt-nano, demo, hub id, folder, https://HOST/v1#MODEL.",
    )
    retry: Retry = Field(
        "passing",
        description="Which finished recordings are tried again: failures that may pass by themselves (always), all "
        "failures (failed), transcripts that lost a part (partial), or both (all).",
    )
    max_failed: Share = Field(0.05, description="Largest share of failed recordings for exit code 0.")
    allow_empty: bool = Field(False, description="Whether exit code 0 allows an input without any recording.")
    part_mb: int = Field(512, ge=1, description="A table of a run becomes several files above this size (MiB).")
    plan: PlanConfig = PlanConfig()
    decode: DecodeConfig = DecodeConfig()
    segmentation: SegmentationSection = SegmentationSection()
    batching: BatchingConfig = BatchingConfig()
    recognition: RecognitionConfig = RecognitionConfig()
    alignment: AlignmentConfig = AlignmentConfig()
    remote: RemoteConfig = RemoteConfig()
    runner: RunnerConfig = RunnerConfig()
    metrics: MetricsConfig = MetricsConfig()

    @field_validator("output")
    @classmethod
    def _check_output(cls, value: str) -> str:
        if "\\" in value:
            raise ValueError("has a backslash, and DuckDB finds no files behind one: choose another name")
        if is_glob(value) and "://" in value and not value.startswith("file:"):
            raise ValueError("has a wildcard (* ? [), which storages would take for one: choose another name")
        return value

    @model_validator(mode="after")
    def _batch_holds_a_segment(self) -> "Config":
        if 0 < self.batching.max_padded_s < self.segmentation.max_s:
            raise ValueError(
                f"batching.max_padded_s = {self.batching.max_padded_s:g}: "
                f"is under segmentation.max_s = {self.segmentation.max_s:g}"
            )
        return self


def text_hash(config: Config, segmentation: SegmentationConfig, model: str, versions: Mapping[str, str]) -> str:
    """A hash over all that can change a transcript, and nothing else: the key under which work is resumed."""
    settings = {
        "span_s": config.plan.span_s,
        "probe_above_kb": config.plan.probe_above_kb,  # decides what is one span
        "border_window_s": config.plan.border_window_s,
        "segmentation": asdict(segmentation),
        "itn": config.recognition.itn,
        "audio_tokens": config.recognition.audio_tokens,
        "encoder_precision": config.recognition.encoder_precision,
        "llm_precision": config.recognition.llm_precision,
        "repair": config.recognition.repair,
        "model": model,
        "versions": dict(versions),
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
