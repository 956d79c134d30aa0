"""The kinds of failure, each with its cause code, a sentence for people, and whether trying again can help."""

from enum import StrEnum

from funasr_beam.model.counted import counted


class Cause(StrEnum):
    """Why a recording, or a part of it, has no transcript. docs/causes.md is made from these sentences."""

    NOT_FOUND = "not_found"
    ACCESS_DENIED = "access_denied"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    EMPTY_FILE = "empty_file"
    NOT_MEDIA = "not_media"
    REFERENCE_FORMAT = "reference_format"
    NO_AUDIO_STREAM = "no_audio_stream"
    UNSUPPORTED_CODEC = "unsupported_codec"
    NO_AUDIO_DECODED = "no_audio_decoded"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    LONGER_THAN_DECLARED = "longer_than_declared"
    TOO_SHORT = "too_short"
    DECODE_TIMEOUT = "decode_timeout"
    DECODER_CRASHED = "decoder_crashed"
    OUT_OF_MEMORY = "out_of_memory"
    MODEL_ERROR = "model_error"
    BAD_NAME = "bad_name"
    BAD_OPTIONS = "bad_options"
    REMOTE_UNAVAILABLE = "remote_unavailable"
    REMOTE_ANSWER = "remote_answer"
    REMOTE_REFUSED = "remote_refused"
    EXCLUDED = "excluded"

    @property
    def sentence(self) -> str:
        """One sentence that tells a user what this cause means."""
        return _SENTENCES[self]

    @property
    def retryable(self) -> bool:
        """Whether the same bytes may succeed on another try."""
        return self in _RETRYABLE


_SENTENCES = {
    Cause.NOT_FOUND: "The file was not there when it was read.",
    Cause.ACCESS_DENIED: "The storage refused to let the file be read.",
    Cause.STORAGE_UNAVAILABLE: "The storage did not answer, or broke off, even after retries.",
    Cause.EMPTY_FILE: "The file has no bytes.",
    Cause.NOT_MEDIA: "The bytes are no audio or video container that can be read.",
    Cause.REFERENCE_FORMAT: "The file is a playlist or script that names other files; such files are never followed.",
    Cause.NO_AUDIO_STREAM: "The container holds no audio stream.",
    Cause.UNSUPPORTED_CODEC: "The audio stream uses a codec for which there is no decoder.",
    Cause.NO_AUDIO_DECODED: "There is an audio stream, but not one sample of it could be decoded.",
    Cause.TRUNCATED: "The audio ends before the container says it should; what was there is kept.",
    Cause.DAMAGED: "Parts of the audio could not be decoded; they are silence or missing, and the rest is kept.",
    Cause.LONGER_THAN_DECLARED: "The audio goes on far beyond the declared duration; it is kept up to a safe limit.",
    Cause.TOO_SHORT: "The audio is shorter than one analysis window (25 ms).",
    Cause.DECODE_TIMEOUT: "Decoding made no progress for too long and was stopped.",
    Cause.DECODER_CRASHED: "The decoder process died on this file.",
    Cause.OUT_OF_MEMORY: "Decoding passed its memory limit, or a segment did not fit into memory even on its own.",
    Cause.MODEL_ERROR: "The recogniser failed on the segment even on its own.",
    Cause.BAD_NAME: "The name of the file is not valid UTF-8, so no table can hold it; rename it.",
    Cause.BAD_OPTIONS: "An option of this recording in the manifest cannot be used.",
    Cause.REMOTE_UNAVAILABLE: "The remote recogniser did not answer, or had no time, even after retries.",
    Cause.REMOTE_ANSWER: "What the remote recogniser answered could not be understood, even after retries.",
    Cause.REMOTE_REFUSED: "The remote recogniser refused the segment.",
    Cause.EXCLUDED: "The recording was left out on purpose, by the rule in the message.",
}

_RETRYABLE = frozenset(
    {
        Cause.NOT_FOUND,
        Cause.ACCESS_DENIED,
        Cause.STORAGE_UNAVAILABLE,
        Cause.DECODE_TIMEOUT,
        Cause.DECODER_CRASHED,
        Cause.OUT_OF_MEMORY,
        Cause.MODEL_ERROR,
        Cause.REMOTE_UNAVAILABLE,
        Cause.REMOTE_ANSWER,
    }
)

_MOST_PROBLEMS = 20


class RecordingError(Exception):
    """A failure that belongs to one recording: it becomes a terminal row and the run goes on."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message

    @property
    def retryable(self) -> bool:
        """Whether the same bytes may succeed on another try."""
        return self.cause.retryable

    def __reduce__(self) -> tuple[type["RecordingError"], tuple[Cause, str]]:
        return type(self), (self.cause, self.message)


class ProcessDiedError(RuntimeError):
    """The process of a model died on what it was given; on less of it another one may live."""


class RunError(Exception):
    """The run cannot go on (output not writable, model not loadable); the message says what to do."""


class UsageError(Exception):
    """The command or its configuration is wrong; carries every problem found, one line each."""

    def __init__(self, title: str, problems: list[str]) -> None:
        super().__init__("\n".join([title, *(f"  {problem}" for problem in problems)]))
        self.title = title
        self.problems = problems

    def __reduce__(self) -> tuple[type["UsageError"], tuple[str, list[str]]]:
        return type(self), (self.title, self.problems)

    @classmethod
    def counting(cls, where: str, problems: list[str]) -> "UsageError":
        """All of several problems in one place: their number, and the first of them."""
        return cls(f"{counted(len(problems), 'problems')} {where}:", problems[:_MOST_PROBLEMS])
