"""One export: the chosen rows of an output, in one format, into a folder."""

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from funasr_beam.model.errors import UsageError
from funasr_beam.model.records import Seconds
from funasr_beam.model.storage import Folder
from funasr_beam.model.version import __version__
from funasr_beam.pipeline.export.audio import ClipCutter
from funasr_beam.pipeline.export.files import Draft, Exporter, Tally, to_json
from funasr_beam.pipeline.export.formats import FORMATS, Site
from funasr_beam.pipeline.export.records import ExportRecording
from funasr_beam.pipeline.export.selection import Choice, LeftOut, Selection
from funasr_beam.pipeline.views import open_views

Progress = Callable[[int, int], None]
"""Told how many of how many recordings are done."""


@dataclass(frozen=True)
class ExportOptions:
    """What to export, and how."""

    format: str  # a name of FORMATS
    where: str | None = None  # a condition over segments and the columns of their recordings
    audio: str | None = None  # "flac", "wav", "none"; None: what the format does by itself
    raw_text: bool = False
    max_cue_s: Seconds = 7.0  # of subtitles; 0: a cue for each segment

    @property
    def clips(self) -> str | None:
        """The kind of clips to cut, if any."""
        wanted = self.audio if self.audio is not None else FORMATS[self.format].audio
        return None if wanted == "none" else wanted


@dataclass(frozen=True)
class ExportReport:
    """What went out, what did not, and why."""

    format: str
    exported: dict[str, int]
    left_out: list[LeftOut]


def export(
    output: Folder, target: Folder, options: ExportOptions, progress: Progress = lambda *_: None
) -> ExportReport:
    """Write the current rows of an output in one format; the same command again goes on or begins anew.

    Raises:
        UsageError: the options do not fit the format or the columns.
    """
    chosen = FORMATS[options.format]
    if options.clips and not chosen.takes_audio:
        takers = ", ".join(name for name, each in FORMATS.items() if each.takes_audio)
        raise UsageError("the export cannot be made:", [f"--audio: {options.format} has no audio; {takers} have"])
    if target.exists("runs"):
        raise UsageError("the export cannot be made:", [f"{target.show()} is an output of runs; name another folder"])
    with ExitStack() as stack:
        connection = stack.enter_context(open_views(output))
        choice = Choice(options.where, options.raw_text, chosen.needs_words)
        selection = Selection(connection, choice)
        tally = Tally()
        cutter = stack.enter_context(ClipCutter(options.clips, tally)) if options.clips else None
        key = _key(options, selection) if chosen.audio else ""
        site = Site(target, tally, cutter, key, options.max_cue_s)
        _write(selection, site, options, progress)
        left_out = [*selection.left_out(), *(LeftOut(count, *key) for key, count in sorted(tally.left_out.items()))]
    report = ExportReport(options.format, dict(tally.exported), left_out)
    target.write(f"export-{options.format}.json", (to_json(_summary(output, options, report), 2) + "\n").encode())
    target.remove("_work")
    return report


def _write(selection: Selection, site: Site, options: ExportOptions, progress: Progress) -> None:
    """Write every recording, and the list that says which name is which recording."""
    total = selection.count()
    target = site.folder
    with ExitStack() as undo:
        index = Draft(target, f"index-{options.format}.jsonl")
        undo.callback(index.discard)
        exporter: Exporter = FORMATS[options.format].make(site)
        undo.callback(exporter.discard)
        for done, recording in enumerate(selection.recordings(), 1):
            exporter.add(recording)
            index.write_json(_index_entry(recording))
            progress(done, total)
        exporter.finish()
        index.publish()
        undo.pop_all()


def _index_entry(recording: ExportRecording) -> dict[str, Any]:
    return {
        "name": recording.name,
        "uri": recording.uri,
        "recording_id": recording.id,
        "status": recording.status,
        "segments": len(recording.segments),
    }


def _key(options: ExportOptions, selection: Selection) -> str:
    """Names the content of an export, so that only shards of the same one are gone on with."""
    text = f"{__version__} {options} {selection.digest()}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _summary(output: Folder, options: ExportOptions, report: ExportReport) -> dict[str, Any]:
    return {
        "output": output.show(),
        "pipeline_version": __version__,
        **asdict(options),
        "exported": report.exported,
        "left_out": [asdict(each) for each in report.left_out],
    }
