"""One line for each stored result that says how the whole holds up: rows of a table in the README."""

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"

_REPAIRED_ERROR = 20  # percent, as in benchmarks.guards


def table() -> str:
    """The rows of all results that are there."""
    rows = [
        f"| {what} | {say(json.loads((RESULTS / f'{name}.json').read_text(encoding='utf-8')))} | `{command}` |"
        for name, (what, say, command) in ROWS.items()
        if (RESULTS / f"{name}.json").exists()
    ]
    return "\n".join(["| what | measured | command |", "| --- | --- | --- |", *rows])


def _rerun(found: dict[str, Any]) -> str:
    return (
        f"{found['wall_s']:.0f} s, {found['peak_mb']:,} MB; {found['decoders_started']} decoders, "
        f"{found['models_loaded']} models"
    )


def _nights(found: dict[str, Any]) -> str:
    agree = "agree on every row" if found["all_three_agree"] else "DIFFER"
    looks = sum(found["looks"].values())
    return (
        f"`latest.sql`, the Python rule and a recomputation {agree}; {looks:,} looks of DuckDB, pyarrow, pandas "
        f"and Polars during the runs, of them {found['looks_at_half_runs']} at half a run"
    )


def _guards(found: dict[str, Any]) -> str:
    cases = found["cases"]
    flagged = sum(bool(case["flags"]) for case in cases)
    repaired = sum(
        all(flag.endswith("_repaired") for flag in case["flags"]) and case["error_after"] <= _REPAIRED_ERROR
        for case in cases
    )
    ordinary = found["ordinary"]
    return (
        f"{flagged} of {len(cases)} flagged, {repaired} repaired (no flag left, at most {_REPAIRED_ERROR} % errors); "
        f"{ordinary['flagged']} of {ordinary['segments']} ordinary segments flagged"
    )


def _non_speech(found: dict[str, Any]) -> str:
    clips = {
        name: kind for run in found["runs"].values() for name, kind in run.items() if not name.startswith("speech")
    }
    unflagged = max(
        sum(kind["with_unflagged_text"] for name, kind in run.items() if not name.startswith("speech"))
        for run in found["runs"].values()
    )
    return f"{unflagged} of {sum(kind['clips'] for kind in clips.values())} have a text without a flag"


def _confidence(found: dict[str, Any]) -> str:
    every = found["segments"]["all"]
    return f"AUROC {every['mean log-probability (in use)']:.2f} over {every['segments']} segments"


def _million(found: dict[str, Any]) -> str:
    return "; ".join(
        f"{name} {command['wall_s']:.0f} s, {command['peak_mb']:,.0f} MB" for name, command in found["commands"].items()
    )


def _faults(found: dict[str, Any]) -> str:
    parts = []
    for name in ("kill -9, local", "S3 with faults"):
        trials = found[name]
        faults = sum(count for trial in trials for kind, count in trial["faults"].items() if kind != "none")
        parts.append(
            f"{name}: tables equal {sum(trial['equal'] for trial in trials)} of {len(trials)}"
            + (f" ({faults:,} faults, every second run also killed)" if faults else "")
        )
    every = [trial for name in ("kill -9, local", "S3 with faults") for trial in found[name]]
    lost, redone = max(trial["lost_units"] for trial in every), sum(trial["redone_units"] for trial in every)
    return f"{'; '.join(parts)}; at most {lost} units begun and lost on two workers, {redone} committed ones done again"


def _plan_scale(found: dict[str, Any]) -> str:
    stages = found["stages"]["1000000"]
    names = {"plan": "plan", "assemble": "assemble", "plan unchanged": "plan of an unchanged night"}
    return "; ".join(
        f"{said} {stages[stage]['wall_s']:.0f} s, {stages[stage]['peak_mb']:,} MB" for stage, said in names.items()
    )


def _flink(found: dict[str, Any]) -> str:
    commands = {(timing["engine"], timing["at_once"]): f"{timing['command_s']:.0f} s" for timing in found["timings"]}
    said = ", ".join(f"{engine} with {workers} {time}" for (engine, workers), time in commands.items())
    speedup = found["summary"]["speedup_of_two_task_managers"]
    return f"whole command: {said}; transcribing with two TaskManagers {speedup:.2f} x one (2 cores)"


def _host_path(found: dict[str, Any]) -> str:
    parts = [f"{name} {own['x_realtime']:,.0f}x" for name, own in found["formats"].items()]
    return f"{', '.join(parts)} audio s per CPU s; besides {_least_start(found):.0f} CPU s to start"


def _recognizer(found: dict[str, Any]) -> str:
    parts = []
    for name, profile in found["profiles"].items():
        ways = profile["ways"]
        for who, way in ways.items():
            if "equal_texts" in way:
                # The port of transformers hears all audio tokens, and so do we beside it.
                ours = ways.get("ours, all audio tokens", ways["ours"]) if who.startswith("transf") else ways["ours"]
                wall, cpu = (
                    statistics.median(ours[key]) / statistics.median(way[key])
                    for key in ("x_realtime", "x_realtime_of_cpu")
                )
                same = f"{way['equal_texts']} of {way['compared_texts']} texts equal"
                parts.append(f"{name}: {wall:.1f} x {who} ({cpu:.1f} x for each CPU second), {same}")
    return "; ".join(parts)


def _least_start(found: dict[str, Any]) -> float:
    return min(float(own["start_cpu_s"]) for own in found["formats"].values())


def _text_path(found: dict[str, Any]) -> str:
    costs = {name: cost["median"] for name, cost in found["ms_a_segment"].items()}
    theirs = costs["ITN, by wetext's own functions"]
    return (
        f"ITN {costs['ITN']:.1f} ms a segment (wetext's own functions {theirs:.0f}), "
        f"word times {costs['word times, CTC alignment of 12 s']:.1f}, language and guards "
        f"{costs['language of 31'] + costs['guards']:.1f}"
    )


ROWS: dict[str, tuple[str, Callable[[dict[str, Any]], str], str]] = {
    "rerun": ("unchanged rerun over 10,000 recordings", _rerun, "python -m benchmarks.rerun --store"),
    "nights": (
        "30 nights of 10,000 recordings, 3 % changed, 2 % failing",
        _nights,
        "python -m benchmarks.nights --store",
    ),
    "faults": (
        "runs killed with -9; an S3 server with 5 % of each of six faults",
        _faults,
        "python -m benchmarks.faults --kills 50 --s3 50",
    ),
    "plan_scale": (
        "1,000,000 simulated recordings",
        _plan_scale,
        "python -m benchmarks.plan_scale --counts 10000,100000,1000000 --store",
    ),
    "guards": ("loops, cut-off texts and passages left out", _guards, "python -m benchmarks.guards --store"),
    "non_speech": (
        "clips of silence, tones, hold music, noise, DTMF, ringing",
        _non_speech,
        "python -m benchmarks.non_speech --store",
    ),
    "confidence": (
        "confidence of right against wrong segments, 0 to 10 dB of noise",
        _confidence,
        "python -m benchmarks.confidence --store",
    ),
    "metrics": ("1,000,000 segments", _million, "python -m benchmarks.metrics --store"),
    "answers": ("1,000,000 segments", _million, "python -m benchmarks.answers --store"),
    "flink": ("a Flink cluster on this machine", _flink, "python -m benchmarks.flink --store"),
    "host_path": (
        "files to tables without a recogniser, one process tree",
        _host_path,
        "python -m benchmarks.host_path --store",
    ),
    "recognizer_cpu": (
        "recogniser of full size, random weights, on this CPU",
        _recognizer,
        "make bench",
    ),
    "text_path": ("text of number-rich segments", _text_path, "python -m benchmarks.text_path --store"),
}
