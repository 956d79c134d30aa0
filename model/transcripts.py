"""From segments of audio to committed text: recognise a unit, normalise, put times on the recording's clock."""

import logging
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Literal

from funasr_beam.model.aligners.base import AlignTask
from funasr_beam.model.aligners.choice import LIMITS, AlignmentSettings, WordAligner
from funasr_beam.model.batching import BatchLimits, free_memory, is_out_of_memory, padded_seconds
from funasr_beam.model.checkpoint import AudioTokens
from funasr_beam.model.confidence import segment_confidence, weigh_words
from funasr_beam.model.endpoint import is_remote
from funasr_beam.model.errors import RunError
from funasr_beam.model.front_end import SpanAudio, UnitAudio
from funasr_beam.model.itn import FinalWord, InverseTextNormalizer
from funasr_beam.model.language_id import LanguageDetector, SpokenLanguage
from funasr_beam.model.recognizers.base import (
    EncoderPrecision,
    LlmPrecision,
    ModelProcess,
    Recognizer,
    RecognizerSettings,
    RemoteSettings,
    Utterance,
)
from funasr_beam.model.recognizers.families import load_recognizer
from funasr_beam.model.recognizers.own_process.owner import OwnProcessRecognizer
from funasr_beam.model.records import Failure, Hypothesis, Seconds, Segment, Word
from funasr_beam.model.results import SegmentResult, SpanResult, StageSeconds, UnitResult
from funasr_beam.model.retries import ROUNDS, GuardInput, Recognized, recognize_guarded
from funasr_beam.model.turns import Work

if TYPE_CHECKING:
    from funasr_beam.model.transcriber_pool import TranscriberPool

Itn = Literal["rules", "model", "none"]
_SURE_OF_LANGUAGE = 0.9
_OTHER_SCRIPTS = frozenset({"zh", "yue", "ja", "ko", "th", "ar", "hi", "bg", "el"})
_log = logging.getLogger("funasr_beam.worker")


@dataclass(frozen=True)
class TranscriberConfig:
    """Which recogniser, where it runs, and what becomes of its text."""

    model: str  # as the user named it
    device: Literal["auto", "cpu", "cuda"] = "auto"
    audio_tokens: AudioTokens | None = None  # None: as the checkpoint says
    itn: Itn = "rules"
    repair: bool = True  # what a guard objects to is recognised again
    max_padded_s: Seconds = 0.0  # 0: what suits the device and its memory; likewise
    max_items: int = 0
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    remote: RemoteSettings = field(default_factory=RemoteSettings)
    encoder_precision: EncoderPrecision = "auto"
    llm_precision: LlmPrecision = "auto"
    process: ModelProcess = "auto"  # of the recogniser; auto: its own on a GPU


@lru_cache(maxsize=1)
def load_transcriber(config: TranscriberConfig) -> "TranscriberPool":
    """A transcriber for each device; a process keeps the last ones, so that asking again costs nothing.

    Raises:
        funasr_beam.model.errors.RunError: the checkpoint cannot be loaded, or the device is not there, or none has
            room for the model.
    """
    from funasr_beam.model.devices import device_names
    from funasr_beam.model.transcriber_pool import Member, TranscriberPool

    devices = [config.device] if is_remote(config.model) else device_names(config.device)
    each = list(zip(devices, _load_each(config, devices), strict=True))
    members = [Member(device, loaded, _context(config, device)) for device, loaded in each if loaded is not None]
    full = [_room_on(device) for device, loaded in each if loaded is None]
    told = f"{', '.join(full)}: too little memory for the model {config.model}"
    if not members:
        raise RunError(f"{told}; end what else uses it (nvidia-smi shows that), or use --device cpu")
    if full:
        _log.warning("Left out: %s", told)
    return TranscriberPool(members)


def _load_each(config: TranscriberConfig, devices: Sequence[str]) -> list["UnitTranscriber | None"]:
    """At once where recognisers have processes of their own; steps on a GPU are recorded while it does nothing else."""
    load = partial(_load_where_it_fits, config)
    if not all(_has_own_process(config, device) for device in devices):
        return list(map(load, devices))
    with ThreadPoolExecutor(len(devices), "load") as pool:
        return list(pool.map(load, devices))


def _load_where_it_fits(config: TranscriberConfig, device: str) -> "UnitTranscriber | None":
    """A transcriber on this device; None where its memory does not suffice, be it for CUDA's own context."""
    from funasr_beam.model.devices import computing_on

    try:
        with computing_on(_context(config, device)):
            return _load_on(config, device)
    except RuntimeError as error:
        if device == "cpu" or not is_out_of_memory(error):
            raise
        # The rest after the handler: its traceback holds what was loaded so far.
    free_memory()
    return None


def _room_on(device: str) -> str:
    import torch

    try:
        free, total = torch.cuda.mem_get_info(device)
    except RuntimeError:  # there is not even room to ask
        return f"{device} with no memory free"
    return f"{device} with {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"


def _load_on(config: TranscriberConfig, device: str) -> "UnitTranscriber":
    aligner = WordAligner(replace(config.alignment, device=device), _at_most(config, LIMITS))
    aligner.load_all()  # first: the recogniser shares out the memory that is left
    settings = RecognizerSettings(
        device=device,
        reserve_bytes=_reserved_for(aligner, device),
        audio_tokens=config.audio_tokens,
        encoder_padded_s=config.max_padded_s,
        remote=config.remote,
        encoder_precision=config.encoder_precision,
        llm_precision=config.llm_precision,
    )
    load = partial(load_recognizer, config.model, settings)
    recognizer = OwnProcessRecognizer(load, settings.clock, device) if _has_own_process(config, device) else load()
    return UnitTranscriber(recognizer, config, aligner)


def _context(config: TranscriberConfig, device: str) -> str:
    """The device on which this process computes: a context takes hundreds of megabytes of a GPU."""
    return device if config.alignment.models() or not _has_own_process(config, device) else "cpu"


def _has_own_process(config: TranscriberConfig, device: str) -> bool:
    """Whether the recogniser gets one; a remote model is in another process as it is."""
    is_wanted = config.process == "own" or (config.process == "auto" and device.startswith("cuda"))
    return is_wanted and not is_remote(config.model)


def _reserved_for(aligner: WordAligner, device: str) -> int:
    """Memory of a GPU that is left to a loaded aligner: what it meets there is full, as a recogniser keeps its own."""
    if not device.startswith("cuda") or not aligner.settings.models():
        return 0
    import torch

    from funasr_beam.model.recognizers.memory import free_bytes

    return aligner.fit_into(free_bytes(torch.device(device)))


def _at_most(config: TranscriberConfig, limits: BatchLimits) -> BatchLimits:
    """These limits, or what is asked for if that is less."""
    return replace(
        limits,
        max_padded_s=min(limits.max_padded_s, config.max_padded_s or math.inf),
        max_items=min(limits.max_items, config.max_items or limits.max_items),
    )


def latin_default(languages: Sequence[str]) -> str | None:
    """What a text in Latin script is if nothing is known of it: English, if the model knows no other such language."""
    return "en" if set(languages) - _OTHER_SCRIPTS == {"en"} else None


class UnitTranscriber:
    """A loaded recogniser, and all that turns the audio of a unit into its result."""

    def __init__(self, recognizer: Recognizer, config: TranscriberConfig, aligner: WordAligner | None = None) -> None:
        """Take what is loaded.

        Args:
            recognizer: writes the texts.
            config: what becomes of them.
            aligner: times their words; None: one that loads its models when it needs them.
        """
        self._recognizer = recognizer
        limits = recognizer.batch_limits
        self._limits = replace(
            limits,
            max_padded_s=config.max_padded_s or limits.max_padded_s,
            max_items=config.max_items or limits.max_items,
        )
        self._rounds = ROUNDS if config.repair else 0
        self._itn = config.itn
        self._normalizer = InverseTextNormalizer(latin_default(recognizer.describe().languages))
        self._languages = LanguageDetector(recognizer.describe().languages)
        self._aligner = aligner or WordAligner(config.alignment)

    def transcribe(self, unit: UnitAudio) -> UnitResult:
        """The result of every span, in order; what cannot be recognised is a failure of its segment alone."""
        inputs = [self._guard_input(span, segment) for span in unit.spans for segment in span.segments]
        work = Work()
        guarded = recognize_guarded(self._recognizer, inputs, self._limits, self._rounds)
        recognized = [self._name_language(item, found) for item, found in zip(inputs, guarded, strict=True)]
        outcomes = iter(self._align(inputs, recognized))
        recognize_s, gpu_s = work.worked_s, work.gpu_s
        speech_s = sum(item.utterance.duration_s for item in inputs)
        spans = []
        for span in unit.spans:
            share = sum(segment.duration_s for segment in span.segments) / speech_s if speech_s else 0.0
            result = self._finish_span(span, list(islice(outcomes, len(span.segments))))
            spans.append(_charge(result, recognize_s * share, gpu_s * share))
        return UnitResult(unit.unit.name, tuple(spans), self._padded_s(inputs))

    def _guard_input(self, span: SpanAudio, segment: Segment) -> GuardInput:
        utterance = Utterance(segment.samples, span.span.recording.options, self._itn == "model")
        speech = [
            (
                max(interval.start_s, segment.start_s) - segment.start_s,
                min(interval.end_s, segment.end_s) - segment.start_s,
            )
            for interval in span.speech
            if interval.channel == segment.channel
            and interval.start_s < segment.end_s
            and interval.end_s > segment.start_s
        ]
        return GuardInput(utterance, tuple(speech), segment.speech_probability)

    def _name_language(self, item: GuardInput, recognized: Recognized) -> Recognized:
        """The same with its language, by which its aligner is chosen as well."""
        told = item.utterance.options.language
        if isinstance(recognized.outcome, Failure):
            return replace(recognized, language=SpokenLanguage(told, "told" if told else None))
        language = self._languages.name(recognized.outcome, told)
        return replace(recognized, outcome=replace(recognized.outcome, language=language.code), language=language)

    def _align(self, inputs: Sequence[GuardInput], recognized: Sequence[Recognized]) -> list[Recognized]:
        """The same with the word times of the aligner that suits each, or a flag where it failed."""
        texts = [
            (place, AlignTask.of(item.utterance, found.outcome), found.outcome)
            for place, (item, found) in enumerate(zip(inputs, recognized, strict=True))
            if isinstance(found.outcome, Hypothesis)
        ]
        timed = self._aligner.align([task for _, task, _ in texts], [hypothesis for *_, hypothesis in texts])
        settled = list(recognized)
        for (place, *_), hypothesis in zip(texts, timed, strict=True):
            flags = settled[place].flags + ((hypothesis.untimed,) if hypothesis.untimed else ())
            settled[place] = replace(settled[place], outcome=hypothesis, flags=flags)
        return settled

    def _padded_s(self, inputs: Sequence[GuardInput]) -> Seconds:
        return padded_seconds([item.utterance.duration_s for item in inputs], self._limits)

    def _finish_span(self, audio: SpanAudio, recognized: Sequence[Recognized]) -> SpanResult:
        work = Work()
        segments = tuple(
            self._finish_segment(segment, item) for segment, item in zip(audio.segments, recognized, strict=True)
        )
        return SpanResult(
            span_id=audio.span.id,
            recording_id=audio.span.recording.id,
            index=audio.span.index,
            start_s=audio.start_s,
            end_s=audio.end_s,
            media=audio.media,
            segments=segments,
            speech=audio.speech,
            layout=audio.layout,
            notes=audio.notes,
            failure=audio.failure,
            seconds=audio.seconds + StageSeconds(text_s=work.worked_s),
        )

    def _finish_segment(self, segment: Segment, recognized: Recognized) -> SegmentResult:
        outcome, language = recognized.outcome, recognized.language
        empty = SegmentResult(
            segment.channel,
            segment.index,
            segment.start_s,
            segment.end_s,
            language=language.code,
            language_source=language.source,
            language_score=language.score,
            snr_db=segment.snr_db,
            clipping=segment.clipping,
            bandwidth_hz=segment.bandwidth_hz,
            speech_probability=segment.speech_probability,
            flags=recognized.flags,
            attempt=recognized.attempts,
        )
        if isinstance(outcome, Failure):
            return replace(empty, failure=outcome)
        # Otherwise ITN goes by the script: rules of a wrong language do more harm than none.
        is_sure = language.score is None or language.score >= _SURE_OF_LANGUAGE
        text, words = self._normalize(outcome, segment, language.code if is_sure else None)
        confidence = segment_confidence(outcome.tokens)
        return replace(
            empty,
            text=text,
            text_raw=outcome.text,
            words=words,
            timestamp_source=outcome.timestamp_source,
            alignment_score=outcome.alignment_score,
            avg_logprob=math.log(confidence) if confidence else None,
            confidence=confidence,
            finish_reason=outcome.finish_reason,
            num_tokens=len(outcome.tokens),
        )

    def _normalize(
        self, outcome: Hypothesis, segment: Segment, language: str | None
    ) -> tuple[str, tuple[FinalWord, ...] | None]:
        """The final text, and its words on the recording's clock where there are any."""
        weighed = weigh_words(outcome)
        words = None if weighed is None else tuple(_shift(word, segment.start_s) for word in weighed)
        if self._itn == "rules":
            normalized = self._normalizer.normalize(outcome.text, words, language)
            return normalized.text, normalized.words
        if words is None:
            return outcome.text, None
        return outcome.text, tuple(
            FinalWord(word.text, word.start_s, word.end_s, word.confidence, place, place + 1)
            for place, word in enumerate(words)
        )


def _shift(word: Word, offset_s: Seconds) -> Word:
    return replace(word, start_s=word.start_s + offset_s, end_s=word.end_s + offset_s)


def _charge(result: SpanResult, recognize_s: Seconds, gpu_s: Seconds) -> SpanResult:
    """Put its share of the recogniser's time onto a span."""
    return replace(result, seconds=result.seconds + StageSeconds(recognize_s=recognize_s), gpu_s=gpu_s)
