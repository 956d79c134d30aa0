"""From a Beam graph to a finished job: submit it, watch what it commits, end it when nobody waits any more."""

import logging
import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import apache_beam as beam

from funasr_beam.model.errors import RunError
from funasr_beam.model.storage_trouble import SAME_COMMAND
from funasr_beam.pipeline.engines.base import Engine
from funasr_beam.pipeline.progress import Display, Watch

_LOOK_EVERY_S = 0.5
_TOLD = re.compile(
    r"funasr_beam\.model\.(?:errors\.RunError|stored_files\.DamagedFileError): (.+?)(?: \[while running|\n\n|$)",
    re.DOTALL,
)
_ENDED = re.compile(r"failed in state (\w+): (?:[\w.$]+: )?(.+)")  # as Beam tells what a job server said
_log = logging.getLogger("funasr_beam")


def run_job(engine: Engine, job: str, build: Callable[[beam.Pipeline], None], watch: Watch, display: Display) -> None:
    """Run a pipeline on an engine until it is done, and show on the way what has been committed.

    Raises:
        RunError: it cannot be done; the message says why.
        KeyboardInterrupt: the user has had enough; the job has been ended.
    """
    runner, options = engine.make_runner(job)

    def run_pipeline() -> None:
        pipeline = beam.Pipeline(runner=runner, options=options)
        build(pipeline)
        state = pipeline.run().wait_until_finish()
        if state != "DONE":
            raise RunError(f"the engine says that job {job} is {state}; {SAME_COMMAND}")

    pool = ThreadPoolExecutor(1, "pipeline")  # no `with`: Ctrl-C must not wait for the unit at work
    work = pool.submit(run_pipeline)
    pool.shutdown(wait=False)
    try:
        _watch(work, watch, display)
    except (KeyboardInterrupt, RunError):
        _cancel(engine, job)
        raise
    error = work.exception()
    if error is not None:
        raise _run_error(error, engine, job) from error


def _watch(work: "Future[None]", watch: Watch, display: Display) -> None:
    while not wait([work], _LOOK_EVERY_S).done:
        display.show(watch.look())


def _cancel(engine: Engine, job: str) -> None:
    try:
        told = engine.cancel(job)
    except RunError as error:
        told = f"job {job} could not be cancelled: {error}"
    if told:
        _log.info("%s", told)


def _run_error(error: BaseException, engine: Engine, job: str) -> RunError:
    """What stopped the pipeline, as a message; a bug keeps its traceback in the log."""
    if isinstance(error, RunError):
        return error
    told = _TOLD.search(str(error))  # engines carry a worker's exception as text
    if told is not None:
        return RunError(told.group(1).strip())
    where = _where_to_look(engine, job)
    ended = _ENDED.search(str(error))
    if ended is not None and where is not None:
        _log.debug("The pipeline failed", exc_info=error)
        return RunError(f"job {job} ended as {ended[1]}: {ended[2].strip()}\n  see {where}\n  {SAME_COMMAND}")
    _log.error("The pipeline failed", exc_info=error)
    return RunError(f"the pipeline failed, see above{f' and {where}' if where else ''}; {SAME_COMMAND}")


def _where_to_look(engine: Engine, job: str) -> str | None:
    try:
        return engine.where_to_look(job)
    except RunError as error:
        return str(error)
