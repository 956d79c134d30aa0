"""Speech and word times from libespeak-ng, in process: about 900 times faster than real time on one core."""

from __future__ import annotations

import _ctypes
import ctypes
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

LIBRARY = "libespeak-ng.so.1"
OUTPUT_SYNCHRONOUS = 2
WITH_PHONEME_EVENTS = 1
CHARS_UTF8 = 1
POSITION_CHARACTER = 1
RATE, PITCH = 1, 3
EVENT_WORD, EVENT_PHONEME = 1, 7


class _Identity(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """`espeak_EVENT` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identity),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class EspeakError(RuntimeError):
    """espeak-ng is missing, or refuses a voice or a text."""


@dataclass(frozen=True)
class Voice:
    """How to speak: `name` as espeak-ng reads it ("en-us+m1"), `rate` in words a minute, `pitch` from 0 to 99."""

    name: str
    rate: int = 160
    pitch: int = 50


@dataclass(frozen=True)
class Mark:
    """An event on the synthesised audio: a word begins (at `position` in the text) or a phoneme does (its `name`)."""

    sample: int
    position: int = 0
    name: str = ""


@dataclass(frozen=True)
class Spoken:
    """One text as espeak-ng spoke it, with a (start, end) sample pair for each word of the text."""

    samples: NDArray[np.int16]
    sample_rate: int
    spans: list[tuple[int, int]]


def speak(text: str, voice: Voice) -> Spoken:
    """The text spoken by a voice; the words of the text are its space-separated parts.

    Raises:
        EspeakError: the library is missing or refuses the voice.
    """
    engine = _engine()
    samples, words, phonemes = engine.synthesise(text, voice)
    return Spoken(samples, engine.sample_rate, _spans(text, words, phonemes, len(samples)))


def start_afresh() -> None:
    """Load the library anew, so that what is spoken from here on does not depend on what was spoken before.

    espeak-ng's flutter and phase go on from one text to the next and nothing in its interface resets them; its breath
    comes from the C library's `rand`. Takes 8 ms and leaves about 1 MB behind: for each recording, not each sentence.
    """
    ctypes.CDLL(None).srand(1)
    library = _engine().library
    _engine.cache_clear()
    library.espeak_Terminate()  # ends its thread, which would wake up in code that is not there any more
    _ctypes.dlclose(library._handle)


@cache
def _engine() -> _Engine:
    return _Engine()


class _Engine:
    """The library's single, process-wide synthesiser."""

    def __init__(self) -> None:
        try:
            self.library = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise EspeakError(f"{LIBRARY} cannot be loaded: install espeak-ng (apt-get install espeak-ng)") from error
        self.sample_rate: int = self.library.espeak_Initialize(OUTPUT_SYNCHRONOUS, 0, None, WITH_PHONEME_EVENTS)
        if self.sample_rate <= 0:
            raise EspeakError("espeak-ng does not start: its voice data are missing (apt-get install espeak-ng-data)")
        self.callback = _Callback(self._collect)
        self.library.espeak_SetSynthCallback(self.callback)
        self.chunks: list[NDArray[np.int16]] = []
        self.words: list[Mark] = []
        self.phonemes: list[Mark] = []

    def synthesise(self, text: str, voice: Voice) -> tuple[NDArray[np.int16], list[Mark], list[Mark]]:
        """Samples, word marks and phoneme marks of one text."""
        self.chunks, self.words, self.phonemes = [], [], []
        if self.library.espeak_SetVoiceByName(voice.name.encode()) != 0:
            raise EspeakError(f"espeak-ng has no voice {voice.name!r}")
        self.library.espeak_SetParameter(RATE, voice.rate, 0)
        self.library.espeak_SetParameter(PITCH, voice.pitch, 0)
        data = text.encode()
        self.library.espeak_Synth(data, len(data) + 1, 0, POSITION_CHARACTER, 0, CHARS_UTF8, None, None)
        if not self.chunks:
            raise EspeakError(f"espeak-ng says nothing for {text!r}")
        return np.concatenate(self.chunks), self.words, self.phonemes

    def _collect(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
        if samples and count:
            self.chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type:
            event = events[index]
            if event.type == EVENT_WORD:
                self.words.append(Mark(event.sample, event.text_position - 1))
            elif event.type == EVENT_PHONEME:
                self.phonemes.append(Mark(event.sample, name=bytes(event.id.string).decode("latin-1")))
            index += 1
        return 0


def _spans(text: str, marks: list[Mark], phonemes: list[Mark], length: int) -> list[tuple[int, int]]:
    """Start and end of each word: a word lasts until the next one begins or a pause does."""
    starts = _starts(text, marks, phonemes, length)
    pauses = [mark.sample for mark in phonemes if mark.name.startswith("_")]
    spans = []
    for start, following in zip(starts, [*starts[1:], length], strict=True):
        end = min((pause for pause in pauses if start < pause < following), default=following)
        spans.append((start, end))
    return spans


def _starts(text: str, marks: list[Mark], phonemes: list[Mark], length: int) -> list[int]:
    """The sample at which each word begins; a pair that espeak-ng marks once ("of the") is shared out by letters."""
    known = {mark.position: mark.sample for mark in marks}
    offsets = [at for at, char in enumerate(text) if char != " " and (at == 0 or text[at - 1] == " ")]
    starts: list[int] = []
    for index, offset in enumerate(offsets):
        if offset in known:
            starts.append(known[offset])
            continue
        following = [known[later] for later in offsets[index:] if later in known]
        starts.append(
            _shared_start(text, offset, (starts[-1] if starts else 0, min(following, default=length)), phonemes)
        )
    return starts


def _shared_start(text: str, offset: int, span: tuple[int, int], phonemes: list[Mark]) -> int:
    """The phoneme nearest to where the letters of a word begin inside the span it shares with the word before."""
    before = len(text[:offset].rsplit(maxsplit=1)[-1]) if offset else 0
    after = len(text[offset:].split(maxsplit=1)[0])
    target = span[0] + (span[1] - span[0]) * before / (before + after)
    inside = [mark.sample for mark in phonemes if span[0] < mark.sample < span[1]]
    return min(inside, key=lambda sample: abs(sample - target), default=round(target))
