"""What a loaded model takes beside its weights, told from its sizes and number types.

The factors count the tensors that are alive at once at the worst place; `benchmarks.memory_model` holds them against
what torch takes.
"""

from dataclasses import dataclass
from typing import Any

from funasr_beam.model.records import SAMPLE_RATE

_SMALL_THINGS = 1.03
"""Masks, positions, states of rows: a few percent in small batches."""
_KERNELS = 256 << 10
"""Of attention's, however small a batch is."""
_LONGEST_PROMPT = 512  # tokens: transformers' own layers mask each from every other one


HELD_FEATURES = 2
"""Units whose features are on the device: of the one at work, and of one that has its turn next."""


@dataclass(frozen=True)
class MemoryNeeds:
    """Bytes that a model takes beside its weights."""

    frames_per_s: float  # of the encoder, at its widest place
    frame: int  # to encode a frame, padding counted, with its features
    mask: int  # and for each frame of the longest of its batch
    kept_frame: int  # of what is kept of a frame until its text is there
    token: int  # to read a token of a prompt, padding counted
    position: int  # for the keys and values of one position of one row
    row: int  # for the scores of a row's next token, and all else that a row holds
    any_batch: int = _KERNELS  # to encode, however small the batch is

    def frames(self, seconds: float) -> int:
        """Frames of so much audio."""
        return round(seconds * self.frames_per_s)

    def encoding(self, frames: int, longest: int) -> int:
        """At once, for so many frames with their padding.

        Args:
            frames: of the whole batch.
            longest: frames of its longest utterance.
        """
        return self.any_batch + frames * (self.frame + longest * self.mask)

    def reading(self, tokens: int, rows: int) -> int:
        """At once, for the prompts of some rows, padding counted."""
        return max(tokens * self.token, rows * self.row + tokens * self.token // 8)

    def writing(self, prompt: int, positions: int) -> int:
        """For a row with all that it holds, from the tokens of its prompt to its last position."""
        return self.row + prompt * self.token + positions * self.position


def needs_of(model: Any) -> MemoryNeeds:
    """What a loaded model needs.

    Args:
        model: one of transformers that writes texts: Fun-ASR-Nano, Qwen3-ASR, GLM-ASR or Whisper.
    """
    return _FAMILIES[model.config.model_type](model)


def _fun_asr_nano(model: Any) -> MemoryNeeds:
    audio, adaptor, text = model.config.audio_config, model.config.adaptor_config, model.config.text_config
    number = model.model.audio_tower.layers[0].mlp.fc1.weight.element_size()
    written = model.lm_head.weight.element_size()
    adapted = max(7 * adaptor.hidden_size, adaptor.hidden_size + 2 * adaptor.projector_hidden_size)
    encoded = max(10 * audio.hidden_size + audio.input_size, 3 * audio.hidden_size + 2 * audio.intermediate_size)
    return MemoryNeeds(
        frames_per_s=SAMPLE_RATE / 960,
        frame=round(_SMALL_THINGS * (number * max(audio.hidden_size + adapted, encoded) + 4 * audio.input_size)),
        mask=1 + number,
        kept_frame=number * audio.hidden_size + written * text.hidden_size + HELD_FEATURES * 4 * audio.input_size,
        token=_token_bytes(text, written),
        position=position_bytes(text, written),
        row=_row_bytes(text, written),
    )


def _qwen3_asr(model: Any) -> MemoryNeeds:
    """Widest behind the first of three convolutions: it alone goes over all mel bands, with hundreds of channels."""
    audio, text = model.config.audio_config, model.config.text_config
    convolution = model.model.audio_tower.conv2d2.weight
    number, written = convolution.element_size(), model.lm_head.weight.element_size()
    # Of each band: the output of the first twice, a sixteenth of the channels from the second, and features.
    band = audio.downsample_hidden_size * (2 / 4 + 1 / 16) + 3
    return MemoryNeeds(
        frames_per_s=100.0,
        frame=round(_SMALL_THINGS * number * audio.num_mel_bins * band),
        mask=0,  # it attends within windows
        kept_frame=-(-written * text.hidden_size * 13 // 100),  # 13 tokens for each second
        token=_token_bytes(text, written),
        position=position_bytes(text, written),
        row=_row_bytes(text, written),
        any_batch=_KERNELS + convolution.nbytes,  # a CPU's library puts it in another order
    )


def _glm_asr(model: Any) -> MemoryNeeds:
    audio, text = model.config.audio_config, model.config.text_config
    convolution = model.model.audio_tower.conv2.weight
    written = model.lm_head.weight.element_size()
    return MemoryNeeds(
        frames_per_s=50.0,
        frame=_windowed_frame(audio.hidden_size, audio.intermediate_size, audio.num_mel_bins, convolution),
        mask=0,
        kept_frame=-(-written * text.hidden_size // 4),  # a token for four frames
        token=_plain_token_bytes(text, written),
        position=copied_position_bytes(text, written),
        row=_row_bytes(text, written),
        any_batch=_KERNELS + convolution.nbytes,
    )


def _whisper(model: Any) -> MemoryNeeds:
    """A row holds its whole window: the keys and values of what was heard are more than those of what is written."""
    config = model.config
    convolution = model.model.encoder.conv2.weight
    number, size = convolution.element_size(), config.d_model
    layers = 2 * (config.decoder_layers + 1)  # keys and values of each; those of one are copied when one is added
    kept = (1 + layers) * size + 2 * config.num_mel_bins  # with what was encoded, and features
    return MemoryNeeds(
        frames_per_s=50.0,
        frame=_windowed_frame(size, config.encoder_ffn_dim, config.num_mel_bins, convolution),
        mask=0,
        kept_frame=0,
        token=round(_SMALL_THINGS * number * (4 * size + 2 * config.decoder_ffn_dim))
        + config.max_target_positions * (1 + number),
        position=number * layers * size,
        row=round(_SMALL_THINGS * (8 * config.vocab_size + number * config.max_source_positions * kept)),
        any_batch=_KERNELS + convolution.nbytes,
    )


_FAMILIES = {"fun_asr_nano": _fun_asr_nano, "qwen3_asr": _qwen3_asr, "glmasr": _glm_asr, "whisper": _whisper}


def _windowed_frame(hidden: int, intermediate: int, bins: int, convolution: Any) -> int:
    """To encode a frame where Whisper's encoder does, or one like it: two mel frames each."""
    return round(_SMALL_THINGS * float(convolution.element_size()) * (4 * hidden + 2 * intermediate + 2 * bins))


def _token_bytes(text: Any, number: int) -> int:
    """For this project's decoder to read a token, with a language model of this configuration.

    At the worst place the queries and keys of a layer are turned, while what the layer before made is still there.
    """
    turned = (text.num_attention_heads + text.num_key_value_heads) * text.head_dim
    heads = turned + text.num_key_value_heads * text.head_dim
    attending = 2 * text.intermediate_size + 2 * heads + 5 * turned
    feeding = 3 * text.intermediate_size + heads + turned + text.hidden_size
    return round(_SMALL_THINGS * number * float(2 * text.hidden_size + max(attending, feeding) + 2 * text.head_dim))


def _plain_token_bytes(text: Any, number: int) -> int:
    """The same for transformers' own layers, which also mask each token from every other one."""
    read = 4 * text.hidden_size + 3 * text.intermediate_size + 2 * text.head_dim
    return round(_SMALL_THINGS * number * float(read)) + _LONGEST_PROMPT * (1 + number)


def _row_bytes(text: Any, number: int) -> int:
    """For the scores of a row's next token: a vocabulary is far wider than any layer."""
    scores = 8 if number == 4 else number + 8
    return round(_SMALL_THINGS * scores * int(text.vocab_size)) + 4 * number * int(text.hidden_size)


def position_bytes(text: Any, number: int) -> int:
    """For the keys and values of one position of one row.

    Args:
        text: configuration of a language model.
        number: bytes of one of its numbers.
    """
    return int(number * 2 * text.num_hidden_layers * text.num_key_value_heads * text.head_dim)


def copied_position_bytes(text: Any, number: int) -> int:
    """The same where transformers' own layers write.

    They copy the keys and values of a layer to add one position, and once for each group of heads that shares them.
    """
    copies = 1 + text.num_attention_heads // text.num_key_value_heads
    added: float = copies / text.num_hidden_layers
    return round(position_bytes(text, number) * (1 + added))
