"""Flink's REST interface, as far as a run needs it: how big the cluster is, and how to end a job."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from funasr_beam.model.errors import RunError

_ANSWER_S = 10.0
_OVER = frozenset({"FINISHED", "CANCELED", "FAILED"})


@dataclass(frozen=True)
class FlinkMaster:
    """A Flink cluster at HOST:PORT."""

    address: str

    def slots(self) -> int:
        """How many tasks it can run at once.

        Raises:
            RunError: nobody answers, or the cluster has no TaskManager.
        """
        overview = self._ask("/overview")
        if not overview["taskmanagers"]:
            raise RunError(f"the Flink cluster at {self.address} has no TaskManager; start one, then try again")
        return int(overview["slots-total"])

    def unfinished_jobs(self, name: str) -> list[str]:
        """Ids of the jobs of that name that are not over."""
        jobs = self._ask("/jobs/overview")["jobs"]
        return [job["jid"] for job in jobs if job["name"] == name and job["state"] not in _OVER]

    def newest_job(self, name: str) -> str | None:
        """Id of the youngest job of that name, over or not."""
        jobs = [job for job in self._ask("/jobs/overview")["jobs"] if job["name"] == name]
        return max(jobs, key=lambda job: job["start-time"])["jid"] if jobs else None

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a job; it comes within seconds."""
        self._ask(f"/jobs/{job_id}?mode=cancel", "PATCH")

    def page(self, job_id: str) -> str:
        """The web page that shows a job's exceptions."""
        return f"http://{self.address}/#/job/running/{job_id}/exceptions"

    def _ask(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(f"http://{self.address}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise RunError(f"the Flink cluster at {self.address} answered {error.code} to {method} {path}") from error
        except (OSError, ValueError) as error:
            raise RunError(
                f"no Flink cluster answers at {self.address} ({error}); `make flink-up` starts one on this machine, "
                "--flink-master names another"
            ) from error
