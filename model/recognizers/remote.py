"""Recognition by an OpenAI-compatible endpoint: vLLM, sglang, a hosted service, or a gateway to any of them."""

import io
import time
import wave
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from funasr_beam.model.batching import BatchLimits
from funasr_beam.model.checkpoint import CheckpointInfo, describe_endpoint
from funasr_beam.model.endpoint import Endpoint
from funasr_beam.model.errors import RecordingError
from funasr_beam.model.families import CODES_FOR_WHISPER
from funasr_beam.model.languages import language_code
from funasr_beam.model.prompts import without_control_tokens
from funasr_beam.model.recognizers.base import RemoteSettings, Utterance
from funasr_beam.model.recognizers.remote_client import RemoteClient
from funasr_beam.model.records import SAMPLE_RATE, Failure, Hypothesis, RecognitionOptions, Samples, Seconds


class RemoteRecognizer:
    """Sends each utterance as one request, a bounded number at once over all threads of the process."""

    def __init__(
        self, endpoint: Endpoint, settings: RemoteSettings, pause: Callable[[Seconds], None] = time.sleep
    ) -> None:
        """Look whether the endpoint lets us in.

        Raises:
            funasr_beam.model.errors.RunError: nobody answers there, or the key is missing or wrong.
        """
        self._info = describe_endpoint(endpoint)
        self._client = RemoteClient(endpoint, settings, pause)
        self._client.probe()
        self._pool = ThreadPoolExecutor(settings.max_in_flight, "remote")

    @property
    def batch_limits(self) -> BatchLimits:
        """Enough that all who ask have something to ask for."""
        return BatchLimits(max_items=16)

    def describe(self) -> CheckpointInfo:
        """Which model this is."""
        return self._info

    def recognize(self, utterances: Sequence[Utterance]) -> list[Hypothesis | Failure]:
        """One hypothesis per utterance, in order; a failure where its request failed, without harm to its neighbours.

        Texts come as the endpoint writes them: there are no tokens, no probabilities and no word times.

        Raises:
            funasr_beam.model.errors.RunError: the endpoint turns every request away.
        """
        return list(self._pool.map(self._recognize, utterances))

    def _recognize(self, utterance: Utterance) -> Hypothesis | Failure:
        try:
            answer = self._client.transcribe(to_wav(utterance.samples), _fields(utterance.options))
        except RecordingError as error:
            return Failure("recognise", error.cause, error.message)
        return Hypothesis(" ".join(answer["text"].split()), (), "stop", language=_named(answer.get("language")))


def to_wav(samples: Samples) -> bytes:
    """The samples as a WAV file, 16 kHz mono int16."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def _fields(options: RecognitionOptions) -> dict[str, str]:
    """What the endpoint is told besides the sound."""
    code = language_code(options.language)
    hints = "\n".join(part for part in (options.context or "", ", ".join(options.hotwords)) if part.strip())
    told = {"language": CODES_FOR_WHISPER.get(code, code) if code else "", "prompt": without_control_tokens(hints)}
    return {name: value for name, value in told.items() if value}


def _named(language: object) -> str | None:
    """The code of the language that the endpoint names, in whatever form; None where it names none that is known."""
    try:
        return language_code(language) if isinstance(language, str) else None
    except ValueError:
        return None
