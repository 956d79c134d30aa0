"""`funasr-beam worker-pool`: what runs beside the TaskManagers of a cluster and starts their Python workers."""

import argparse
import signal
from pathlib import Path
from types import FrameType

from funasr_beam.pipeline.commands.numbers import whole_from

_EXAMPLES = """\
examples:
  funasr-beam worker-pool
  funasr-beam worker-pool --port 50001 --logs /var/log/funasr-beam/

One pool on each machine (on Kubernetes: in each TaskManager's pod). Workers have this command's environment: the
credentials of the storage (AWS_*, ...) and HF_HOME belong here, and never into the job. See docs/clusters.md.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "worker-pool",
        help="start Python workers for the TaskManagers of a cluster",
        description="Listen for the TaskManagers of this machine, and start a Python worker for each that asks.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--port", type=whole_from(0, 65_535), default=50000, metavar="N", help="where to listen (50000)"
    )
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="a log file for each worker, instead of stderr")


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    from funasr_beam.pipeline.worker_pool import serve

    logs = arguments.logs.resolve() if arguments.logs else None
    pool = serve(arguments.port, logs)

    def stop(_number: int, _frame: FrameType | None) -> None:
        pool.ended.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"Listening for TaskManagers on port {pool.port}", flush=True)
    pool.ended.wait()
    pool.close()
    return 0
