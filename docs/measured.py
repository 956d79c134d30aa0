"""What was measured, from the stored results: the page measurements.md, and some of its rows in the README."""

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from docs.results import is_measured, result

_REPAIRED_ERROR = 20  # percent, as in benchmarks.guards


def page() -> str:
    """Every table but those of the page about speed, with the commands that measured them."""
    parts = {
        "How the whole holds up": _behaviour(),
        "The demo checkpoint": _accuracy(),
        "Decoding and VAD": _speed(),
    }
    return "\n\n".join([_machine(), *(f"## {title}\n\n{text}" for title, text in parts.items())])


def headlines() -> str:
    """What a newcomer asks first."""
    rows = [f"| {what} | {said} |" for what, said, _ in _said(_HEADLINES)]
    return "\n".join(["| what | measured |", "| --- | --- |", *rows])


def _behaviour() -> str:
    rows = [
        f"| {what} | {said} | `{command}` |"
        for what, said, command in _said([name for name in ROWS if name not in _SPEED])
    ]
    return "\n".join(["| what | measured | command |", "| --- | --- | --- |", *rows])


def _said(names: Sequence[str]) -> list[tuple[str, str, str]]:
    """What, how much, and the command, of those results that are there."""
    rows = {name: ROWS[name] for name in names if is_measured(name)}
    return [(what, say(result(name)), command) for name, (what, say, command) in rows.items()]


def _machine() -> str:
    found = result("demo_pipeline")["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in found["packages"].items())
    return (
        f"Measured on {found['cores']} cores of an {found['processor']} with {found['memory_gib']} GiB and no GPU, "
        f"often while the machine did other work; Python {found['python']}, {packages}. Each result is a file in "
        "`benchmarks/results/`. Speed has [a page of its own](performance.md)."
    )


def _accuracy() -> str:
    rows = [
        f"| {name} | {score['recordings']} | {score['error_rate']:.1f} % "
        f"| {score['start_median_ms']:.0f} / {score['start_p95_ms']:.0f} ms "
        f"| {score['end_median_ms']:.0f} / {score['end_p95_ms']:.0f} ms |"
        for name, score in result("demo_pipeline")["scores"].items()
    ]
    head = [
        "Through the whole pipeline, held-out synthetic sentences and voices, ITN off "
        "(`python -m benchmarks.demo_pipeline --count 75 --store`; phone: 8 kHz mu-law, noise at 15 dB). "
        "It shows that the pipeline loses nothing, and says nothing about the real models.",
        "",
        "| set | recordings | WER (en), CER (zh) | word start, median / p95 | word end, median / p95 |",
        "| --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *rows])


def _speed() -> str:
    rows = [
        f"| decode {name} | {found['sandbox']['median']:,.0f} x |"
        for name, found in result("decode")["x_realtime"].items()
    ]
    rows += [f"| VAD: {name} | {found['median']:,.0f} x |" for name, found in result("vad")["x_realtime"].items()]
    head = [
        "Audio seconds for each CPU second, medians; decoding is in the child process "
        "(`python -m benchmarks.decode --minutes 5 --repeats 3 --hours 10 --store`, "
        "`python -m benchmarks.vad --repeats 7 --store`).",
        "",
        "| step | x realtime |",
        "| --- | --- |",
    ]
    return "\n".join([*head, *rows])


def _rerun(found: dict[str, Any]) -> str:
    return (
        f"{found['wall_s']:.0f} s, {found['peak_mb']:,} MB; {found['decoders_started']} decoders started, "
        f"{found['models_loaded']} models loaded"
    )


def _memory(found: dict[str, Any]) -> str:
    return "; ".join(f"{name} {peak:,.0f} MB" for name, peak in found["peak_mb"].items())


def _nights(found: dict[str, Any]) -> str:
    agree = "agree on every row" if found["all_three_agree"] else "DIFFER"
    looks = sum(found["looks"].values())
    return (
        f"`latest.sql`, the Python rule and a recomputation {agree}; {looks:,} reads with DuckDB, pyarrow, "
        f"pandas and Polars during the runs, {found['looks_at_half_runs']} of half a run"
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
    return f"{unflagged} of {sum(kind['clips'] for kind in clips.values())} clips have a text without a flag"


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
    said = ", ".join(f"{engine}, {workers} at once: {time}" for (engine, workers), time in commands.items())
    speedup = found["summary"]["speedup_of_two_task_managers"]
    return f"whole command: {said}; transcribing with two TaskManagers {speedup:.2f} x one (2 cores)"


def _host_path(found: dict[str, Any]) -> str:
    own = ", ".join(f"{kind['x_realtime']:,.0f} x realtime ({name})" for name, kind in found["formats"].items())
    ratios = [
        found["formats"][name]["both"] / peers.get("faster-whisper, each channel", peers["faster-whisper"])["both"]
        for name, peers in found["peers_x_realtime"].items()
    ]
    faster = " and ".join(f"{ratio:.1f} x" for ratio in ratios)
    return f"{own}; loading and VAD of each channel {faster} faster-whisper's"


def _recognizer(found: dict[str, Any]) -> str:
    parts = []
    for profile in found["profiles"].values():
        ways = profile["ways"]
        for who, way in ways.items():
            if "equal_texts" in way:
                # The port of transformers hears all audio tokens, and so do we beside it.
                ours = ways.get("ours, all audio tokens", ways["ours"]) if who.startswith("transf") else ways["ours"]
                faster = statistics.median(ours["x_realtime"]) / statistics.median(way["x_realtime"])
                parts.append(f"{faster:.1f} x {who} ({way['equal_texts']} of {way['compared_texts']} texts equal)")
    return "; ".join(parts)


def _text_path(found: dict[str, Any]) -> str:
    costs = {name: cost["median"] for name, cost in found["ms_a_segment"].items()}
    theirs = costs["ITN, by wetext's own functions"]
    return (
        f"ITN {costs['ITN']:.1f} ms a segment (wetext's own functions {theirs:.0f}), "
        f"word times {costs['word times, CTC alignment of 12 s']:.1f}, language and guards "
        f"{costs['language of 31'] + costs['guards']:.1f}"
    )


ROWS: dict[str, tuple[str, Callable[[dict[str, Any]], str], str]] = {
    "memory": ("peak memory of all processes", _memory, "python -m benchmarks.memory --store"),
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
        "files to tables without the recogniser, each CPU core",
        _host_path,
        "python -m benchmarks.host_path --store",
    ),
    "recognizer_cpu": (
        "speed of the recogniser on a CPU, random weights of full size",
        _recognizer,
        "make bench",
    ),
    "text_path": ("text of number-rich segments", _text_path, "python -m benchmarks.text_path --store"),
}

_SPEED = ("host_path", "recognizer_cpu")  # shown in full in performance.md
_HEADLINES = ("faults", "memory", "rerun", "plan_scale", "guards", *_SPEED)
