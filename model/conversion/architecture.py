"""The sizes of an original Fun-ASR-Nano checkpoint: as published, or as the config.yaml beside its model.pt says."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from funasr_beam.model.conversion.errors import ConversionError

FRAME_SIZE = 560  # 7 stacked frames of 80 mel bands
CTC_CLASSES = 60_515  # SenseVoice's tokens, and the blank at the end

_FRONT_END = {"fs": 16_000, "window": "hamming", "n_mels": 80, "frame_length": 25, "frame_shift": 10}
_STACKING = {"lfr_m": 7, "lfr_n": 6, "cmvn_file": None}
_Part = TypeVar("_Part")


@dataclass(frozen=True)
class EncoderSizes:
    """SenseVoice's SAN-M encoder, by the names of upstream's `audio_encoder_conf`."""

    output_size: int = 512
    attention_heads: int = 4
    linear_units: int = 2_048
    num_blocks: int = 50
    tp_blocks: int = 20  # layers for timestamps, after the others
    kernel_size: int = 11


@dataclass(frozen=True)
class AdaptorSizes:
    """A "Transformer" adaptor, by the names of upstream's `audio_adaptor_conf`: the LLM's, or the CTC decoder."""

    encoder_dim: int = 512
    ffn_dim: int = 2_048
    llm_dim: int = 1_024  # its own width
    n_layer: int = 2
    attention_heads: int = 8
    downsample_rate: int = 1
    use_low_frame_rate: bool = True

    @property
    def inner_size(self) -> int:
        """Width of its feed-forward layers."""
        return self.llm_dim // 4


@dataclass(frozen=True)
class LlmSizes:
    """A Qwen3 language model, by the names of its config.json."""

    vocab_size: int = 151_936
    hidden_size: int = 1_024
    intermediate_size: int = 3_072
    num_hidden_layers: int = 28
    num_attention_heads: int = 16
    num_key_value_heads: int = 8
    head_dim: int = 128


@dataclass(frozen=True)
class Architecture:
    """All sizes; the defaults are those of Fun-ASR-Nano-2512 and Fun-ASR-MLT-Nano-2512."""

    encoder: EncoderSizes = field(default_factory=EncoderSizes)
    adaptor: AdaptorSizes = field(default_factory=AdaptorSizes)
    llm: LlmSizes = field(default_factory=LlmSizes)
    ctc: AdaptorSizes = field(default_factory=lambda: AdaptorSizes(llm_dim=512, n_layer=5))
    ctc_classes: int = CTC_CLASSES
    blank_id: int = CTC_CLASSES - 1


@dataclass(frozen=True)
class PromptFacts:
    """What upstream's prompt depends on, besides the options of an utterance."""

    think_block: bool = False  # it ends with an empty <think> block
    system_line: bool = True


def llm_folder_name(told: Mapping[str, Any]) -> str:
    """The folder, beside model.pt, of the LLM's tokenizer and configuration."""
    path = str((told.get("llm_conf") or {}).get("init_param_path") or "Qwen3-0.6B")
    return path.rstrip("/").rpartition("/")[2]


def read_architecture(told: Mapping[str, Any], llm: LlmSizes) -> Architecture:
    """The sizes that a config.yaml tells; what it leaves out is as published.

    Raises:
        ConversionError: it describes a model that the conversion does not know.
    """
    problems = _foreign(told)
    if problems:
        raise ConversionError("config.yaml describes another model than Fun-ASR-Nano", problems)
    encoder = _part(EncoderSizes(), told.get("audio_encoder_conf"))
    tied = {"encoder_dim": encoder.output_size}
    classes = int(told.get("ctc_vocab_size") or CTC_CLASSES)
    return Architecture(
        encoder=encoder,
        adaptor=_part(AdaptorSizes(), told.get("audio_adaptor_conf"), tied | {"llm_dim": llm.hidden_size}),
        llm=llm,
        ctc=_part(AdaptorSizes(llm_dim=encoder.output_size, n_layer=5), told.get("ctc_decoder_conf"), tied),
        ctc_classes=classes,
        blank_id=int((told.get("ctc_conf") or {}).get("blank_id", classes - 1)),
    )


def read_prompt_facts(told: Mapping[str, Any]) -> PromptFacts:
    """What a config.yaml says about the prompt, by upstream's `dataset_conf`."""
    conf = told.get("dataset_conf") or {}
    return PromptFacts(think_block=not conf.get("do_think", True), system_line=bool(conf.get("sys_prompt", True)))


def read_yaml(path: Path) -> dict[str, Any]:
    """What a config.yaml holds; nothing where there is none.

    Raises:
        ConversionError: it is no YAML mapping.
    """
    if not path.exists():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConversionError(f"{path} is no YAML", [str(error).replace("\n", " ")]) from error
    if not isinstance(content, dict):
        raise ConversionError(f"{path} holds no YAML mapping", [])
    return content


def _foreign(told: Mapping[str, Any]) -> list[str]:
    """Everything that makes it another model, one sentence each."""
    wanted = {
        "model": "FunASRNano",
        "audio_encoder": "SenseVoiceEncoderSmall",
        "audio_adaptor": "Transformer",
        "ctc_decoder": "Transformer",
        "frontend": "WavFrontend",
    }
    problems = [
        f"{key} = {told[key]}; known is {value}"
        for key, value in wanted.items()
        if told.get(key) is not None and told[key] != value
    ]
    front_end = told.get("frontend_conf") or {}
    return problems + [
        f"frontend_conf.{key} = {front_end[key]}; known is {value}"
        for key, value in (_FRONT_END | _STACKING).items()
        if key in front_end and front_end[key] not in (value, None)
    ]


def _part(published: _Part, told: Mapping[str, Any] | None, fixed: Mapping[str, Any] | None = None) -> _Part:
    """The published sizes with those that the file names; `fixed` follows from other parts of the model."""
    named = {item.name for item in fields(published)}  # type: ignore[arg-type]
    values = {name: getattr(published, name) for name in named}
    values |= {name: value for name, value in (told or {}).items() if name in named}
    return type(published)(**(values | dict(fixed or {})))
