"""Where the report goes: beside the tables, or wherever a user wants it; and into the folder of each run."""

import logging
from dataclasses import dataclass

from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.model.storage import Folder, write_file
from funasr_beam.model.storage_trouble import storage_errors
from funasr_beam.pipeline.report.data import read_report
from funasr_beam.pipeline.report.page import render
from funasr_beam.pipeline.run_folder import Run, check_run

REPORT = "report.html"

_log = logging.getLogger("funasr_beam")


@dataclass(frozen=True)
class ReportOptions:
    """What `funasr-beam report` was told."""

    run_id: str | None = None  # None: all current rows
    target: str | None = None  # a path or URI; None: `report.html` in the output
    with_text: bool = True


def write_report(output: Folder, options: ReportOptions = ReportOptions()) -> str:
    """Write the page about an output and tell where it is.

    Raises:
        UsageError: there is no such run, or it has no rows.
    """
    if options.run_id is not None:
        check_run(output, options.run_id)
    page = render(read_report(output, options.run_id), with_text=options.with_text).encode(errors="replace")
    target = options.target
    if target is None:
        output.write(REPORT, page)
        return output.show(REPORT)
    return write_file(target, page)


def write_run_report(output: Folder, run: Run) -> None:
    """Write the page into the folder of a run that is about to finish; a run never fails for want of it."""
    import duckdb

    try:
        page = render(read_report(output, run.id)).encode(errors="replace")
        output.write(f"{run.folder}/{REPORT}", page)
    except (RunError, UsageError, duckdb.Error, *storage_errors()) as error:
        _log.warning("The report of this run could not be written (%s); funasr-beam report makes one", error)
