"""An Airflow DAG for the nightly run: transcribe, then tell how it went; exit codes decide what is tried again."""

import json
import subprocess
from datetime import datetime, timedelta
from typing import Any

from airflow.exceptions import AirflowException, AirflowFailException
from airflow.sdk import dag, task

INPUT = "s3://archive/calls/"
OUTPUT = "s3://archive/transcripts/"
OPTIONS = ["--model", "fun-asr-nano", "--runner", "flink", "--flink-master", "flink:8081"]
HOPELESS = {1: "more recordings failed than --max-failed allows, or there were none", 2: "wrong usage or configuration"}


@dag(schedule="30 1 * * *", start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=1, tags=["funasr-beam"])
def funasr_nightly() -> None:
    """Transcribe what is new, every night."""

    @task(retries=3, retry_delay=timedelta(minutes=10))
    def transcribe() -> None:
        """Run the command; the same command goes on from what is committed."""
        code = subprocess.run(
            ["funasr-beam", "transcribe", INPUT, "--output", OUTPUT, *OPTIONS], check=False
        ).returncode
        if code in HOPELESS:
            raise AirflowFailException(f"exit code {code}: {HOPELESS[code]}")
        if code != 0:
            raise AirflowException(f"exit code {code}: will be tried again")

    @task(trigger_rule="all_done")
    def status() -> dict[str, Any]:
        """Counts by status and cause, for whoever looks at the run."""
        told = subprocess.run(["funasr-beam", "status", OUTPUT, "--json"], check=True, capture_output=True, text=True)
        content = json.loads(told.stdout)
        return {key: content[key] for key in ("statuses", "causes")}

    transcribe() >> status()


funasr_nightly()
