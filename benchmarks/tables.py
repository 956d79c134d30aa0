"""The tables of the benchmarks of speed: each benchmark prints its own, and docs/performance.md shows them all.

Made from a result as it is stored. Imports nothing that is heavy, so that the documents can be written without torch.
"""

import statistics
from collections.abc import Mapping
from typing import Any


def recognizer(found: Mapping[str, Any]) -> str:
    """Ways side by side for each profile, and our ledger below."""
    asked = found["settings"]
    share = "the same segments" if asked["peers_get"] == 1 else f"one segment in {asked['peers_get']}"
    lines = [
        f"{_machine(found)}; {asked['size']} size, {asked['tokens_per_s']} tokens "
        f"per second of audio, {asked['threads']} threads; the others get {share}, at most {asked['batch']} at once."
        + (" Each way computes its own features, equal but for rounding." if asked["device"] == "cuda" else ""),
        "",
        "| profile | way | x realtime | per CPU second | ours is faster (per CPU second) | same text |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [row for name, profile in found["profiles"].items() for row in _ways(name, profile["ways"])]
    ledgers = {name: profile["ledger"] for name, profile in found["profiles"].items() if profile["ledger"]}
    return "\n".join([*lines, *(_ledgers(ledgers) if ledgers else [])])


def _ways(profile: str, ways: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, way in ways.items():
        if "missing" in way:
            rows.append(f"| {profile} | {name} | {way['missing']} | | | |")
            continue
        wall, cpu = (statistics.median(way[key]) for key in ("x_realtime", "x_realtime_of_cpu"))
        ratios = ""
        if name != "ours" and "missing" not in ways.get("ours", {"missing": ""}):
            both = [statistics.median(ways["ours"][key]) for key in ("x_realtime", "x_realtime_of_cpu")]
            ratios = f"{both[0] / wall:.1f}x ({both[1] / cpu:.1f}x)"
        same = f"{way['equal_texts']} of {way['compared_texts']}" if "equal_texts" in way else ""
        rows.append(f"| {profile} | {name} | {wall:,.2f} | {cpu:,.2f} | {ratios} | {same} |")
    return rows


def _ledgers(ledgers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Where our time goes, by profile."""
    lines = ["", f"| share of the wall clock | {' | '.join(ledgers)} |", "| --- |" + " ---: |" * len(ledgers)]
    for stage in dict.fromkeys(stage for ledger in ledgers.values() for stage in ledger["stages"]):
        shares = [ledger["stages"].get(stage, 0.0) / ledger["wall_s"] for ledger in ledgers.values()]
        lines.append(f"| {stage} | {' | '.join(f'{share:.1%}' for share in shares)} |")
    steps = [f"{ledger['ms_per_step']:.2f}" if ledger["ms_per_step"] else "" for ledger in ledgers.values()]
    return [*lines, f"| ms for each decode step | {' | '.join(steps)} |"]


def precision(found: Mapping[str, Any]) -> str:
    """Number types on a CPU: speed at full size, and the texts of the demo checkpoint."""
    return "\n\n".join([f"{_machine(found)}.", precision_full(found["full"]), precision_demo(found["demo"])])


def precision_full(found: Mapping[str, Any]) -> str:
    """Speed of the whole recogniser by number type."""
    lines = [
        f"A checkpoint of {found['size']} size, {found['segments']} segments of {found['profile']}, CPU seconds of one "
        f"thread, {found['rounds']} rounds:",
        "",
        "| way | x realtime | of float32's time (spread) | encoder (s) | prefill (s) | ms for each decode step |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {way} | {own['x_realtime_of_cpu']:.2f} | {_ratio(own)} | {own['encoder_s']:.1f} | {own['prefill_s']:.1f} "
        f"| {own['ms_per_step']:.0f} |"
        for way, own in found["ways"].items()
    ]
    return "\n".join(lines)


def precision_demo(found: Mapping[str, Any]) -> str:
    """Speed and texts of the demo checkpoint by number type."""
    lines = [
        f"The demo checkpoint on {found['recordings']} held-out recordings:",
        "",
        "| way | of float32's time (spread) | same text | WER (en), CER (zh) |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {way} | {_ratio(own)} | {own['equal_texts']} of {found['recordings']} | {own['errors_percent']:.2f} % |"
        for way, own in found["ways"].items()
    ]
    return "\n".join(lines)


def precision_layers(found: Mapping[str, Any]) -> str:
    """Speed of some layers of the encoder by number type."""
    head = [f"| {found['layers']} layers | of float32's time (spread) |", "| --- | ---: |"]
    return "\n".join([*head, *(f"| {way} | {_ratio(own)} |" for way, own in found["ways"].items())])


def _ratio(found: Mapping[str, float]) -> str:
    if "ratio" not in found:
        return ""
    return f"{found['ratio']:.2f} ({found['fastest']:.2f} to {found['slowest']:.2f})"


def end_to_end(found: Mapping[str, Any]) -> str:
    """Both ledgers of a run from files to tables."""
    asked = found["settings"]
    busy = found["alone_s"] / found["command"]["transcribe"]
    lines = [
        f"{_machine(found)}; {asked['size']} checkpoint, {found['audio_s'] / 60:.0f} minutes of MP3, "
        f"{asked['workers']} threads: {found['audio_s'] / found['wall_s']:,.1f} x realtime with the start. The "
        f"recogniser alone takes {found['alone_s']:.1f} s for the same segments; transcribing took "
        f"{found['command']['transcribe']:.1f} s, {busy:.0%} of that speed.",
    ]
    for name, whole_s in (("command", found["wall_s"]), ("threads", found["thread_s"])):
        lines += ["", f"| {name} | s | share |", "| --- | ---: | ---: |"]
        lines += [f"| {stage} | {seconds:.1f} | {seconds / whole_s:.1%} |" for stage, seconds in found[name].items()]
        lines.append(f"| all | {whole_s:.1f} | 100 % |")
    return "\n".join(lines)


def host_path(found: Mapping[str, Any]) -> str:
    """What a core does without the recogniser, where its time goes, and others beside it."""
    rows = [
        f"| {name} | {kind['x_realtime']:,.0f} ({kind['slowest']:,.0f} to {kind['fastest']:,.0f}) |"
        for name, kind in found["formats"].items()
    ]
    head = ["| input | audio seconds for each CPU second (spread) |", "| --- | ---: |"]
    return "\n".join([_machine(found) + ":", "", *head, *rows, "", *_host_stages(found), "", *_host_peers(found)])


def _host_stages(found: Mapping[str, Any]) -> list[str]:
    costs = {name: kind["stages_ms_per_audio_minute"] for name, kind in found["formats"].items()}
    stages = next(iter(costs.values()))
    rows = [f"| {stage} | {' | '.join(f'{cost[stage]:,.1f}' for cost in costs.values())} |" for stage in stages]
    head = f"| CPU milliseconds for each minute of audio | {' | '.join(costs)} |"
    return [head, f"| --- {'| ---: ' * len(costs)}|", *rows]


def _host_peers(found: Mapping[str, Any]) -> list[str]:
    """Loading and VAD of others on the same files in the same run; they mix stereo, unless their name says no."""
    lines = [
        "| audio seconds for each CPU second | loading | VAD | both | ours / theirs |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, peers in found["peers_x_realtime"].items():
        own = found["formats"][name]
        lines.append(f"| {name}: funasr-beam | {own['loading']:,.0f} | {own['vad']:,.0f} | {own['both']:,.0f} | |")
        for who, peer in peers.items():
            speeds = " | ".join(f"{peer[part]:,.0f}" for part in ("loading", "vad", "both"))
            cells = f"{speeds} | {own['both'] / peer['both']:.1f}"
            lines.append(f"| {name}: {who} {peer['version']} | {cells} |")
    return lines


def host_scaling(found: Mapping[str, Any]) -> str:
    """Wall clock by threads, and how far the interpreter's lock lets one process grow."""
    lines = [
        "| threads | x realtime of the wall clock (spread) | cores in use |",
        "| --- | ---: | ---: |",
    ]
    for threads, speed in found["threads"].items():
        spread = f"{speed['x_realtime']:,.0f} ({speed['slowest']:,.0f} to {speed['fastest']:,.0f})"
        lines.append(f"| {threads} | {spread} | {speed['cores_in_use']:.2f} |")
    held = found["lock_ms_per_audio_minute"]
    if held is not None:
        lines += [
            "",
            f"The interpreter's lock is held for {held:.1f} ms of each minute of audio: one process reaches at most "
            f"{60_000 / held:,.0f} x realtime, however many cores there are.",
        ]
    return "\n".join([f"{_machine(found)}; {found['format']}, {found['audio_s'] / 60:.0f} minutes:", "", *lines])


def device_share(found: Mapping[str, Any]) -> str:
    """How busy one process keeps devices that only sleep."""
    shares = [share for share in found["shares"] if share["asked_at_once"] == "a unit"]
    counts = sorted({share["devices"] for share in shares})
    lines = [f"| threads for each | {' | '.join(f'busy, {count} at once' for count in counts)} |"]
    lines.append(f"| --- {'| ---: ' * len(counts)}|")
    for threads in sorted({share["threads"] for share in shares}):
        busy = {share["devices"]: share["busy"] for share in shares if share["threads"] == threads}
        lines.append(f"| {threads} | {' | '.join(f'{busy[count]:.0f} %' for count in counts)} |")
    return "\n".join([f"{_machine(found)}; devices that hear {found['speed']:,.0f} s of calls a second:", "", *lines])


def launches(found: Mapping[str, Any]) -> str:
    """How busy a device is whose launches other threads disturb, with its recogniser in either process."""
    shares = {(share["threads"], share["process"]): share for share in found["shares"]}
    lines = ["| threads | busy, shared process | busy, own process |", "| --- | ---: | ---: |"]
    for threads in sorted({threads for threads, _ in shares}):
        own = [shares[threads, process] for process in ("shared", "own")]
        figures = " | ".join(f"{one['busy']:.0f} % ({one['least']:.0f} to {one['most']:.0f})" for one in own)
        lines.append(f"| {threads} | {figures} |")
    return "\n".join([f"{_machine(found)}; units of calls:", "", *lines])


def cards(found: Mapping[str, Any]) -> str:
    """What is done at once on graphics cards, as the memory model plans it."""
    rows = [
        f"| {family} | {card['card_gib']} GiB | {card['encoder_padded_s']:,.0f} s | {card['kv_gib']:.1f} GiB "
        f"| {card['rows']} | {card['prefill_tokens']:,} |"
        for family, cards in found["cards"].items()
        for card in cards
    ]
    ratios = [peak["modelled_bytes"] / peak["measured_bytes"] for peak in found["peaks"]]
    head = [
        "What is done at once, planned from the sizes of the model and the memory that is free when it has been "
        f"loaded. Of {len(ratios)} pieces of work that were measured on a CPU, the plan expected {min(ratios):.2f} to "
        f"{max(ratios):.2f} times what they took; no card was at hand.",
        "",
        "| model | card | encoded, padding counted | keys and values | texts | tokens of prompts |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    return "\n".join([*head, *rows])


def padding(found: Mapping[str, Any]) -> str:
    """Padding in the batches of an hour of each profile."""
    shares = next(iter(found["profiles"].values()))["padding"]
    rows = [f"| {name} | {share:.1%} |" for name, share in shares.items() if name != "here"]
    return "\n".join(["| audio | padding |", "| --- | ---: |", *rows])


def _machine(found: Mapping[str, Any]) -> str:
    machine = found["machine"]
    on = f"{machine['gpu']}, " if "gpu" in machine else ""
    packages = ", ".join(f"{name} {machine['packages'][name]}" for name in ("torch", "transformers"))
    return f"{on}{machine['cores']} cores of an {machine['processor']}, {packages}"
