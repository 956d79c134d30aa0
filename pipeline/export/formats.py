"""The formats of `funasr-beam export`, each with what it writes and what reads it."""

from collections.abc import Callable
from dataclasses import dataclass

from funasr_beam.model.records import Seconds
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.export.audio import ClipCutter, ClipFolder
from funasr_beam.pipeline.export.corpora import HuggingFaceDataset, WebDataset
from funasr_beam.pipeline.export.documents import Documents
from funasr_beam.pipeline.export.files import Exporter, Tally
from funasr_beam.pipeline.export.kaldi import KaldiFolder
from funasr_beam.pipeline.export.manifests import LhotseManifests, NemoManifest
from funasr_beam.pipeline.export.scoring import ScoringFile
from funasr_beam.pipeline.export.subtitles import Subtitles


@dataclass(frozen=True)
class Site:
    """What an exporter works with."""

    folder: Folder
    tally: Tally
    cutter: ClipCutter | None  # None: no clips
    key: str  # changes with the rows and the options
    max_cue_s: Seconds

    @property
    def clips(self) -> ClipFolder | None:
        """A place for clips as files of their own."""
        return ClipFolder(self.folder, self.cutter) if self.cutter else None


@dataclass(frozen=True)
class Format:
    """One format."""

    writes: str
    read_by: str
    make: Callable[[Site], Exporter]
    takes_audio: bool = False
    audio: str | None = None  # what is cut when nobody says
    needs_words: bool = False


def _documents(kind: str) -> Callable[[Site], Exporter]:
    return lambda site: Documents(site.folder, site.tally, kind)


def _subtitles(suffix: str) -> Callable[[Site], Exporter]:
    return lambda site: Subtitles(site.folder, site.tally, suffix, site.max_cue_s)


def _scoring(kind: str) -> Callable[[Site], Exporter]:
    return lambda site: ScoringFile(site.folder, site.tally, kind)


FORMATS = {
    "srt": Format("a subtitle file for each recording", "players, pysubs2", _subtitles("srt"), needs_words=True),
    "vtt": Format("a WebVTT file for each recording", "browsers, webvtt-py", _subtitles("vtt"), needs_words=True),
    "txt": Format("a text for each recording, a line for each segment", "anything", _documents("txt")),
    "json": Format("all of each recording", "anything", _documents("json"), needs_words=True),
    "ctm": Format("transcripts.ctm: a line for each word", "sclite, meeteval", _scoring("ctm"), needs_words=True),
    "stm": Format("transcripts.stm: a line for each segment", "sclite, meeteval", _scoring("stm")),
    "rttm": Format("transcripts.rttm: who speaks when", "meeteval, pyannote", _scoring("rttm")),
    "seglst": Format("transcripts.seglst.json: a list of segments", "meeteval", _scoring("seglst")),
    "nemo": Format(
        "manifest.jsonl",
        "NeMo",
        lambda site: NemoManifest(site.folder, site.tally, site.clips),
        takes_audio=True,
    ),
    "lhotse": Format(
        "recordings.jsonl.gz and supervisions.jsonl.gz, with word alignments",
        "lhotse",
        lambda site: LhotseManifests(site.folder, site.tally, site.clips),
        takes_audio=True,
        needs_words=True,
    ),
    "kaldi": Format(
        "wav.scp, segments, text, utt2spk, spk2utt, reco2dur",
        "Kaldi, lhotse",
        lambda site: KaldiFolder(site.folder, site.tally, site.clips),
        takes_audio=True,
    ),
    "hf": Format(
        "data/train-*.parquet with the clips inside, and a README.md",
        "datasets",
        lambda site: HuggingFaceDataset(site.folder, site.tally, site.cutter, site.key),
        takes_audio=True,
        audio="flac",
        needs_words=True,
    ),
    "whisperx": Format(
        "WhisperX's JSON for each recording", "WhisperX's tools", _documents("whisperx"), needs_words=True
    ),
    "aws": Format(
        "Amazon Transcribe's JSON for each recording", "Amazon Transcribe's tools", _documents("aws"), needs_words=True
    ),
    "webdataset": Format(
        "shard-*.tar with clip, text and JSON of each segment",
        "webdataset",
        lambda site: WebDataset(site.folder, site.tally, site.cutter, site.key),
        takes_audio=True,
        audio="flac",
        needs_words=True,
    ),
}
"""Every format by its name on the command line."""
