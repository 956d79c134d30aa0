"""Metrics that grow by batches of the tables' rows, and merge: the same numbers however rows are shared out."""

import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from funasr_beam.model.metrics.histograms import Bins, Histogram, Values, relative

RECORDING_COLUMNS = (
    "status",
    "error_code",
    "duration",
    "speech_duration",
    "channel_layout",
    "num_channels",
    "language",
    "num_segments",
    "flags",
    "codec",
    "confidence",
    "chars_per_s",
    "snr_db",
    "clipping",
    "bandwidth_hz",
    "speech_probability",
    "mixed_error_rate",
    "word_errors",
    "character_errors",
    "mixed_errors",
    "normalizer",
    "decode_s",
    "vad_s",
    "recognize_s",
    "text_s",
    "gpu_s",
)
"""Columns of `recordings` that the metrics are made from."""

SEGMENT_COLUMNS = (
    "start",
    "end",
    "text",
    "text_raw",
    "language",
    "confidence",
    "flags",
    "timestamp_source",
    "snr_db",
    "clipping",
    "bandwidth_hz",
    "speech_probability",
    "error_code",
    "num_words",
)
"""Columns of `segments` that the metrics are made from; `num_words` is the length of `words`."""

STAGES = ("decode_s", "vad_s", "recognize_s", "text_s", "gpu_s")
ERROR_UNITS = {"words": "word_errors", "characters": "character_errors", "mixed": "mixed_errors"}
ERROR_KINDS = ("hits", "substitutions", "deletions", "insertions")

_MICRO = 1_000_000
_SPOKEN_UNIT = r"[\p{Han}\p{Hiragana}\p{Katakana}ー]|[^\s\p{Han}\p{Hiragana}\p{Katakana}ー]+"
_SHARE, _DB, _HZ = Bins(0.001), Bins(0.1), Bins(250.0)

_RECORDING_BINS = {
    "duration_s": relative(),
    "speech_ratio": _SHARE,
    "segments_per_min": relative(),
    "confidence": _SHARE,
    "chars_per_s": relative(),
    "snr_db": _DB,
    "clipping": relative(),
    "bandwidth_hz": _HZ,
    "speech_probability": _SHARE,
    "mixed_error_rate": _SHARE,
}
_SEGMENT_BINS = {
    "length_s": relative(),
    "chars_per_s": relative(),
    "words_per_min": relative(),
    "confidence": _SHARE,
    "repetition": relative(),
    "snr_db": _DB,
    "clipping": relative(),
    "bandwidth_hz": _HZ,
    "speech_probability": _SHARE,
}


def _histograms(bins: Mapping[str, Bins]) -> dict[str, Histogram]:
    return {name: Histogram(each) for name, each in bins.items()}


@dataclass
class DatasetMetrics:
    """Everything that is counted of some recordings and their segments; memory does not depend on their number.

    Every sum is a whole number (times in microseconds), so that merging gives exactly what one pass over all gives.
    """

    counters: dict[str, Counter[str]] = field(default_factory=dict)
    totals: Counter[str] = field(default_factory=Counter)
    recording_values: dict[str, Histogram] = field(default_factory=lambda: _histograms(_RECORDING_BINS))
    segment_values: dict[str, Histogram] = field(default_factory=lambda: _histograms(_SEGMENT_BINS))

    def add_recordings(self, rows: pa.Table) -> None:
        """Count rows of `recordings` (at least `RECORDING_COLUMNS`)."""
        duration, channels = _floats(rows, "duration"), _channels(rows)
        self._count("statuses", rows["status"], duration)
        self._count("causes", rows["error_code"], duration)
        self._count("recording_languages", rows["language"], duration)
        self._count("codecs", rows["codec"], duration)
        self._count("recording_flags", pc.list_flatten(rows["flags"]), None)
        self._count("normalizers", rows["normalizer"], None)
        speech = _floats(rows, "speech_duration")
        self.totals["channel_us"] += _micros(duration * channels)
        self.totals["speech_us"] += _micros(speech)
        for stage in STAGES:
            self.totals[f"{stage[:-2]}_us"] += _micros(_floats(rows, stage))
        for unit, column in ERROR_UNITS.items():
            self._add_errors(unit, rows[column])
        values = {
            "duration_s": duration,
            "speech_ratio": _ratio(speech, duration * channels),
            "segments_per_min": _ratio(60.0 * _floats(rows, "num_segments"), duration * channels),
        }
        for name, histogram in self.recording_values.items():
            histogram.add(values[name] if name in values else _floats(rows, name))

    def add_segments(self, rows: pa.Table) -> None:
        """Count rows of `segments` (at least `SEGMENT_COLUMNS`)."""
        length = _floats(rows, "end") - _floats(rows, "start")
        self._count("languages", pc.fill_null(rows["language"], "unknown"), length)
        self._count("timestamp_sources", rows["timestamp_source"], None)
        self._count("flags", pc.list_flatten(rows["flags"]), None)
        self.totals["failed_segments"] += len(rows) - rows["error_code"].null_count
        self.totals["characters"] += int(pc.sum(pc.utf8_length(rows["text"])).as_py() or 0)
        self.totals["words"] += int(pc.sum(rows["num_words"]).as_py() or 0)
        spoken = rows["text_raw"]
        values = {
            "length_s": length,
            "chars_per_s": _ratio(_numbers(pc.utf8_length(spoken)), length),
            "words_per_min": _ratio(60.0 * _numbers(pc.count_substring_regex(spoken, _SPOKEN_UNIT)), length),
            "repetition": _repetition(spoken),
        }
        for name, histogram in self.segment_values.items():
            histogram.add(values[name] if name in values else _floats(rows, name))

    def merge(self, other: "DatasetMetrics") -> None:
        """Add what another one has counted."""
        for name, counter in other.counters.items():
            self.counter(name).update(counter)
        self.totals.update(other.totals)
        for mine, theirs in (
            (self.recording_values, other.recording_values),
            (self.segment_values, other.segment_values),
        ):
            for name, histogram in mine.items():
                histogram.merge(theirs[name])

    def counter(self, name: str) -> Counter[str]:
        """One family of counts, such as `statuses`; `statuses_us` has the audio behind it in microseconds."""
        return self.counters.setdefault(name, Counter())

    def _count(self, name: str, values: pa.ChunkedArray, seconds: Values | None) -> None:
        """Rows by value, and the audio behind them; null is none."""
        found = pc.value_counts(values.drop_null())
        self.counter(name).update({item["values"]: item["counts"] for item in found.to_pylist()})
        if seconds is None:
            return
        keyed = pa.table({"value": values, "us": np.rint(np.nan_to_num(seconds) * _MICRO).astype(np.int64)})
        sums = keyed.filter(pc.is_valid(keyed["value"])).group_by("value").aggregate([("us", "sum")]).to_pylist()
        self.counter(f"{name}_us").update({row["value"]: row["us_sum"] for row in sums})

    def _add_errors(self, unit: str, counts: pa.ChunkedArray) -> None:
        known = counts.drop_null()
        self.totals[f"{unit}.recordings"] += len(known)
        for kind in ERROR_KINDS:
            self.totals[f"{unit}.{kind}"] += int(pc.sum(pc.struct_field(known, kind)).as_py() or 0)


def compression_ratio(text: str) -> float:
    """Bytes of a text over its bytes after deflate: above about 2.4 it repeats itself.

    Source: `compression_ratio` of OpenAI's Whisper, which calls such segments failed.
    """
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else float("nan")


def _repetition(texts: pa.ChunkedArray) -> Values:
    return np.array([float("nan") if text is None else compression_ratio(text) for text in texts.to_pylist()])


def _channels(rows: pa.Table) -> Values:
    """Channels that were transcribed: one where all are the same."""
    channels = np.nan_to_num(_floats(rows, "num_channels"), nan=1.0)
    heard_once = pc.fill_null(pc.equal(rows["channel_layout"], "dual_mono"), False)
    return np.where(heard_once.to_numpy(zero_copy_only=False), 1.0, channels)


def _floats(rows: pa.Table, column: str) -> Values:
    return _numbers(rows[column])


def _numbers(values: pa.ChunkedArray) -> Values:
    """As float64, NaN for null."""
    return np.asarray(pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def _micros(seconds: Values) -> int:
    return int(np.rint(np.nan_to_num(seconds) * _MICRO).astype(np.int64).sum())


def _ratio(part: Values, whole: Values) -> Values:
    """Part over whole; NaN where the whole is nothing."""
    ratio: Callable[..., Values] = np.divide
    return ratio(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
