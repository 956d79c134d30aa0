"""Files that must not harm: broken, lying, foreign, and such that name other files. Made here, never fetched.

Playlists name a canary file in the folder and an address of the caller's, which must never be opened.
"""

import gzip
import io
import os
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.media import (
    AAC,
    ADTS,
    FASTSTART,
    FLAC,
    MP3,
    OPUS,
    PCM,
    VORBIS,
    Encoding,
    speech_like,
    wav_bytes,
    write_media,
    write_video,
)

OK = "ok"
CANARY = "canary-secret.wav"
SALVAGED = frozenset({OK, "damaged", "truncated"})


@dataclass(frozen=True)
class HostileFile:
    """A file, its kind, and the outcomes that are right: "ok" or cause codes.

    A file that can be decoded with notes has the notes' causes as outcomes; every outcome must be among `expected`,
    and where `must` is set it must be among the outcomes.
    """

    path: Path
    kind: str
    expected: frozenset[str]
    must: str | None = None

    @property
    def id(self) -> str:
        """Kind and name."""
        return f"{self.kind}/{self.path.name}"


@dataclass(frozen=True)
class _Kitchen:
    """The folder, sound originals to spoil, and the address that nobody may ask."""

    folder: Path
    originals: dict[str, Path]
    canary_url: str

    def put(self, name: str, data: bytes) -> Path:
        (self.folder / name).write_bytes(data)
        return self.folder / name

    def bytes_of(self, name: str) -> bytes:
        return self.originals[name].read_bytes()


def make_hostile_set(folder: Path, canary_url: str = "http://127.0.0.1:9/canary") -> list[HostileFile]:
    """Write the whole set into a folder and tell what is right for each file."""
    folder.mkdir(parents=True, exist_ok=True)
    kitchen = _Kitchen(folder, _originals(folder / "originals"), canary_url)
    write_media(folder / CANARY, speech_like(1, 16_000, seed=99), 16_000)
    return [file for make in _MAKERS for file in make(kitchen)]


def _originals(folder: Path) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    stereo = speech_like(6, 44_100, 2, seed=1)
    wide = speech_like(6, 48_000, 2, seed=2)
    recipes = {
        "a.wav": PCM, "a.mp3": MP3, "a.m4a": AAC, "fast.m4a": FASTSTART, "a.flac": FLAC, "a.ogg": VORBIS,
        "a.opus": OPUS, "a.mka": AAC, "a.webm": OPUS, "a.aac": ADTS, "a.avi": Encoding("libmp3lame"),
        "a.aiff": Encoding("pcm_s16be"), "v.mp4": Encoding("aac", video_s=6),
    }  # fmt: skip
    made = {}
    for name, recipe in recipes.items():
        is_opus = recipe is OPUS
        made[name] = write_media(folder / name, wide if is_opus else stereo, 48_000 if is_opus else 44_100, recipe)
    return made


def _truncated(kitchen: _Kitchen) -> Iterator[HostileFile]:
    for name in ("a.wav", "a.mp3", "fast.m4a", "a.flac", "a.opus", "a.mka", "a.aiff"):
        data = kitchen.bytes_of(name)
        for percent in (35, 70, 92):
            path = kitchen.put(f"cut{percent}-{name}", data[: len(data) * percent // 100])
            yield HostileFile(path, "truncated", frozenset({"truncated", "damaged"}), "truncated")
    for name in ("a.ogg", "a.webm", "a.avi"):
        data = kitchen.bytes_of(name)
        yield HostileFile(kitchen.put(f"cut60-{name}", data[: len(data) * 6 // 10]), "truncated", SALVAGED)


def _without_index(kitchen: _Kitchen) -> Iterator[HostileFile]:
    data = kitchen.bytes_of("a.m4a")
    gone = frozenset({"truncated"})
    yield HostileFile(kitchen.put("cut-before-moov.m4a", data[: len(data) // 2]), "no index", gone)
    yield HostileFile(kitchen.put("moov-renamed.m4a", data.replace(b"moov", b"voom")), "no index", gone)
    fast = kitchen.bytes_of("fast.m4a")
    inside = fast.index(b"moov") + 400
    path = kitchen.put("cut-inside-moov.m4a", fast[:inside])
    yield HostileFile(path, "no index", gone)


def _bit_flips(kitchen: _Kitchen) -> Iterator[HostileFile]:
    for name in ("a.wav", "a.mp3", "fast.m4a", "a.flac", "a.ogg", "a.opus", "a.mka", "a.webm", "a.aac", "v.mp4"):
        data = bytearray(kitchen.bytes_of(name))
        rng = random.Random(name)
        # Ogg checks whole pages of a second each, and its headers are long: two flips already cost a third.
        for _ in range(2 if name in ("a.ogg", "a.opus") else 40):
            data[rng.randrange(9000, len(data))] ^= 1 << rng.randrange(8)
        yield HostileFile(kitchen.put(f"flips-{name}", bytes(data)), "bit flips", SALVAGED)
    for seed in range(6):
        data = bytearray(kitchen.bytes_of("fast.m4a"))
        rng = random.Random(seed)
        for _ in range(3):
            data[rng.randrange(0, 2000)] ^= 1 << rng.randrange(8)
        failures = {"not_media", "no_audio_stream", "no_audio_decoded", "unsupported_codec", "too_short"}
        path = kitchen.put(f"header-flips{seed}.m4a", bytes(data))
        yield HostileFile(path, "header flips", SALVAGED | failures | {"reference_format", "out_of_memory"})


def _shifted(kitchen: _Kitchen) -> Iterator[HostileFile]:
    """Samples one byte off from where the index says: decoders see packets that are nonsense from the first bit."""
    for name in ("fast.m4a", "v.mp4"):
        data = kitchen.bytes_of(name)
        at = data.index(b"mdat") + 4
        spoiled = (data[:at] + b"\0" + data[at:])[: len(data)]
        wrong = SALVAGED | {"no_audio_decoded", "truncated"}
        yield HostileFile(kitchen.put(f"shifted-{name}", spoiled), "shifted samples", wrong)


def _zero_runs(kitchen: _Kitchen) -> Iterator[HostileFile]:
    for name in ("a.wav", "a.mp3", "fast.m4a", "a.flac", "a.opus", "a.mka"):
        data = bytearray(kitchen.bytes_of(name))
        middle = len(data) // 2
        data[middle : middle + 9000] = bytes(9000)
        yield HostileFile(kitchen.put(f"zeros-{name}", bytes(data)), "zero runs", SALVAGED)


def _garbage(kitchen: _Kitchen) -> Iterator[HostileFile]:
    for extension in ("wav", "mp3", "m4a", "flac", "ogg", "mkv"):
        path = kitchen.put(f"garbage.{extension}", random.Random(extension).randbytes(50_000))
        yield HostileFile(path, "garbage", frozenset({"not_media", "no_audio_decoded", "no_audio_stream"}))
    sized = b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42" + random.Random(7).randbytes(5000)
    yield HostileFile(kitchen.put("ftyp-garbage.m4a", sized), "garbage", frozenset({"not_media", "truncated"}))
    yield HostileFile(
        kitchen.put("ones.mp3", b"\xff" * 60_000), "garbage", frozenset({"not_media", "no_audio_decoded"})
    )


def _wrong_extensions(kitchen: _Kitchen) -> Iterator[HostileFile]:
    for name, other in (("a.mp3", "wav"), ("a.m4a", "txt"), ("a.flac", "mp3"), ("a.opus", "m3u8"), ("a.wav", "png")):
        path = kitchen.put(f"really-{name.removeprefix('a.')}.{other}", kitchen.bytes_of(name))
        yield HostileFile(path, "wrong extension", frozenset({OK}))
    yield HostileFile(kitchen.put("no-extension", kitchen.bytes_of("a.mka")), "wrong extension", frozenset({OK}))


def _texts(kitchen: _Kitchen) -> Iterator[HostileFile]:
    bad = frozenset({"not_media"})
    yield HostileFile(kitchen.put("notes.wav", b"please call me back\n" * 40), "text", bad)
    yield HostileFile(kitchen.put("data.mp3", b'{"uri": "http://x/y.wav", "text": "hello"}\n'), "text", bad)
    yield HostileFile(kitchen.put("riff-only.wav", b"RIFF"), "text", bad)


def _empties(kitchen: _Kitchen) -> Iterator[HostileFile]:
    return (HostileFile(kitchen.put(name, b""), "empty", frozenset({"empty_file"})) for name in ("e.wav", "e.mp4"))


def _foreign(kitchen: _Kitchen) -> Iterator[HostileFile]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.wav", kitchen.bytes_of("a.wav"))
    pixel = zlib.compress(b"\0" * 4)
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)), (b"IDAT", pixel), (b"IEND", b""))
    )
    files = {
        "archive.wav": packed.getvalue(),
        "paper.mp3": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
        "page.wav": b"<!DOCTYPE html><html><head><title>404</title></head><body>not here</body></html>",
        "picture.m4a": png,
        "program.flac": b"\x7fELF\x02\x01\x01" + bytes(9) + random.Random(3).randbytes(3000),
        "packed.wav": gzip.compress(kitchen.bytes_of("a.wav")[:20_000]),
    }
    for name, data in files.items():
        yield HostileFile(kitchen.put(name, data), "foreign", frozenset({"not_media"}))


def _playlists(kitchen: _Kitchen) -> Iterator[HostileFile]:
    secret, url = str(kitchen.folder / CANARY), kitchen.canary_url
    texts = {
        "hls.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}/seg.ts\n#EXTINF:10,\n{secret}\n",
        "hls.wav": f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:9,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        "bom.mp3": f"\ufeff#EXTM3U\n{secret}\n",
        "plain.m3u": f"{secret}\n{url}/a.mp3\n",
        "dash.mpd": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet>'
        f"<Representation><BaseURL>{url}/a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "concat.ffconcat": f"ffconcat version 1.0\nfile '{secret}'\nfile '{url}/a.wav'\n",
        "concat.wav": f"ffconcat version 1.0\nfile {CANARY}\n",
        "concat-bare.txt": f"file '{secret}'\n",
        "list.pls": f"[playlist]\nFile1={url}/a.mp3\nFile2={secret}\nNumberOfEntries=2\nVersion=2\n",
        "list.xspf": '<?xml version="1.0"?>\n<!-- x -->\n<playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList>'
        f"<track><location>{url}/a.mp3</location></track></trackList></playlist>",
        "session.sdp": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n",
        "list.asx": f'<asx version="3.0"><entry><ref href="{url}/a.wma"/></entry></asx>',
        "album.cue": f'PERFORMER "x"\nFILE "{CANARY}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
        "show.smil": f'<smil><body><audio src="{url}/a.mp3"/></body></smil>',
        "smooth.ism": '<?xml version="1.0"?><SmoothStreamingMedia MajorVersion="2"></SmoothStreamingMedia>',
        "old.asf": f"[Reference]\r\nRef1={url}/a.asf\r\n",
        "quicktime.mov": f"RTSPtext\r\nrtsp://{url.removeprefix('http://')}/a\r\n",
    }
    for name, text in texts.items():
        yield HostileFile(kitchen.put(name, text.encode()), "playlist", frozenset({"reference_format"}))


def _external_data(kitchen: _Kitchen) -> Iterator[HostileFile]:
    refused = frozenset({"reference_format"})
    data = kitchen.bytes_of("a.m4a")
    local = b"\0\0\0\x0curl \0\0\0\x01"  # the usual entry: in this very file
    for name, place in (("dref-file.m4a", f"file://{kitchen.folder / CANARY}"), ("dref-http.mov", kitchen.canary_url)):
        entry = b"url \0\0\0\0" + place.encode() + b"\0"
        spoiled = _replace_box(data, local, struct.pack(">I", len(entry) + 4) + entry)
        yield HostileFile(kitchen.put(name, spoiled), "external data", refused)
    flagless = data.replace(local, b"\0\0\0\x0curl \0\0\0\0")
    yield HostileFile(kitchen.put("dref-flag.mov", flagless), "external data", refused)
    target = b"\0\0\0\0url " + struct.pack(">I", len(kitchen.canary_url) + 1) + kitchen.canary_url.encode() + b"\0"
    rmra = _box(b"moov", _box(b"rmra", _box(b"rmda", _box(b"rdrf", target))))
    yield HostileFile(kitchen.put("reference.mov", rmra), "external data", refused)


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def _replace_box(data: bytes, old: bytes, new: bytes) -> bytes:
    """Put another box in the place of one, and make all boxes around it as much longer."""
    at = data.index(old)
    spoiled = bytearray(data[:at] + new + data[at + len(old) :])
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        start = spoiled.index(kind) - 4
        size = struct.unpack(">I", spoiled[start : start + 4])[0]
        spoiled[start : start + 4] = struct.pack(">I", size + len(new) - len(old))
    return bytes(spoiled)


def _video_only(kitchen: _Kitchen) -> Iterator[HostileFile]:
    none = frozenset({"no_audio_stream"})
    return (
        HostileFile(write_video(kitchen.folder / f"mute.{kind}"), "video only", none) for kind in ("mp4", "mkv", "avi")
    )


def _header_lies(kitchen: _Kitchen) -> Iterator[HostileFile]:
    sound = speech_like(2, 16_000, seed=5).tobytes()
    unusable = frozenset({"not_media", "unsupported_codec", "no_audio_decoded", "no_audio_stream"})
    lies: dict[str, tuple[bytes, frozenset[str]]] = {
        "size-4gb.wav": (wav_bytes(sound, data_size=0xFFFFFFFF), frozenset({OK})),
        "size-3gb.wav": (wav_bytes(sound, data_size=3_000_000_000), frozenset({"truncated"})),
        "size-zero.wav": (wav_bytes(sound, data_size=0, riff_size=0), frozenset({OK})),
        "rate-zero.wav": (wav_bytes(sound, rate=0), unusable),
        "rate-4ghz.wav": (wav_bytes(sound, rate=4_000_000_000), unusable),
        "channels-65535.wav": (wav_bytes(sound, channels=65_535), unusable),
        "channels-0.wav": (wav_bytes(sound, channels=0, block=0), unusable),
        "channels-64.wav": (wav_bytes(bytes(64 * 2 * 4000), channels=64), frozenset({"unsupported_codec"})),
        "bits-1.wav": (wav_bytes(sound, bits=1, block=1), unusable | {OK}),
        "bits-0.wav": (wav_bytes(sound, bits=0, block=0), unusable | {OK}),
        "block-0.wav": (wav_bytes(sound, block=0), unusable | {OK}),
        "format-unknown.wav": (wav_bytes(sound, format=0x7777), frozenset({"unsupported_codec"})),
    }
    for name, (data, expected) in lies.items():
        yield HostileFile(kitchen.put(name, data), "header lies", expected)
    flac = bytearray(kitchen.bytes_of("a.flac"))
    flac[21:26] = bytes([flac[21] | 0x0F, 0xFF, 0xFF, 0xFF, 0xFF])  # STREAMINFO: 2^36 - 1 samples
    yield HostileFile(kitchen.put("samples-2e36.flac", bytes(flac)), "header lies", frozenset({"truncated"}))
    mka = kitchen.bytes_of("a.mka")
    at = mka.index(b"\x44\x89\x88") + 3  # Duration, a float64
    lied = mka[:at] + struct.pack(">d", 1e15) + mka[at + 8 :]
    yield HostileFile(kitchen.put("a-million-years.mka", lied), "header lies", frozenset({"truncated", OK}))


def _not_numbers(kitchen: _Kitchen) -> Iterator[HostileFile]:
    for name, value in (("nan.wav", np.nan), ("inf.wav", np.inf), ("huge.wav", 3e38)):
        samples = speech_like(2, 16_000, seed=6)[0].astype(np.float32) / 32_768
        samples[8000:8100] = value
        data = wav_bytes(samples.astype("<f4").tobytes(), bits=32, format=3)
        yield HostileFile(kitchen.put(name, data), "not numbers", frozenset({"damaged"}))


def _leading_junk(kitchen: _Kitchen) -> Iterator[HostileFile]:
    mp3 = kitchen.bytes_of("a.mp3")
    start = mp3.index(b"\xff\xfb") if b"\xff\xfb" in mp3 else 0
    bare, size = mp3[start:], 3_000_000
    packed = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    tag = b"ID3\x04\0\0" + packed + b"PRIV" + packed + b"\0\0x\0" + bytes(size - 12)
    yield HostileFile(kitchen.put("huge-id3.mp3", tag + bare), "leading junk", frozenset({OK}))
    yield HostileFile(kitchen.put("zeros-before.mp3", bytes(30_000) + bare), "leading junk", SALVAGED | {"not_media"})
    noise = random.Random(11).randbytes(20_000)
    yield HostileFile(kitchen.put("noise-before.mp3", noise + bare), "leading junk", SALVAGED | {"not_media"})
    wav = kitchen.bytes_of("a.wav")
    list_chunk = b"LIST" + struct.pack("<I", 500_000) + bytes(500_000)
    yield HostileFile(kitchen.put("big-list.wav", wav[:12] + list_chunk + wav[12:]), "leading junk", SALVAGED)


def _chained(kitchen: _Kitchen) -> Iterator[HostileFile]:
    for name in ("a.ogg", "a.opus", "a.mp3", "a.aac"):
        data = kitchen.bytes_of(name)
        yield HostileFile(kitchen.put(f"twice-{name}", data + data), "chained", SALVAGED)


def _changes_midway(kitchen: _Kitchen) -> Iterator[HostileFile]:
    other = speech_like(3, 16_000, 1, seed=8)
    for name, recipe in (("a.mp3", MP3), ("a.aac", ADTS), ("a.opus", OPUS)):
        second = write_media(kitchen.folder / "originals" / f"second-{name}", other, 16_000, recipe).read_bytes()
        yield HostileFile(kitchen.put(f"change-{name}", kitchen.bytes_of(name) + second), "changes midway", SALVAGED)


def _bombs(kitchen: _Kitchen) -> Iterator[HostileFile]:
    quiet = write_media(kitchen.folder / "hour-of-nothing.flac", np.zeros((1, 3600 * 8000), np.int16), 8000, FLAC)
    yield HostileFile(quiet, "bomb", frozenset({OK}))
    sparse = kitchen.put("sparse.wav", wav_bytes(b"\0" * 4000, rate=48_000, data_size=1_400_000_000))
    os.truncate(sparse, 300_000_000)
    yield HostileFile(sparse, "bomb", frozenset({"truncated"}))


def _tiny(kitchen: _Kitchen) -> Iterator[HostileFile]:
    for count, cause in ((0, "no_audio_decoded"), (1, "too_short"), (160, "too_short"), (399, "too_short"), (400, OK)):
        data = wav_bytes(speech_like(1, 16_000)[0, :count].tobytes())
        yield HostileFile(kitchen.put(f"tiny{count}.wav", data), "tiny", frozenset({cause}))
    flac = kitchen.bytes_of("a.flac")
    nothing = frozenset({"no_audio_decoded", "not_media", "truncated"})
    yield HostileFile(kitchen.put("header-only.flac", flac[:200]), "tiny", nothing)


def _broken_clocks(kitchen: _Kitchen) -> Iterator[HostileFile]:
    mka = bytearray(kitchen.bytes_of("a.mka"))
    clusters = [at for at in range(len(mka) - 4) if mka[at : at + 4] == b"\x1f\x43\xb6\x75"]
    at = mka.index(b"\xe7", clusters[-1])  # the time stamp of the last cluster
    width = mka[at + 1] & 0x0F
    mka[at + 2 : at + 2 + width] = b"\x7f" * width
    yield HostileFile(
        kitchen.put("last-cluster-late.mka", bytes(mka)), "broken clock", SALVAGED | {"longer_than_declared"}
    )
    ogg = bytearray(kitchen.bytes_of("a.opus"))
    pages = [at for at in range(len(ogg) - 4) if ogg[at : at + 4] == b"OggS"]
    middle = pages[len(pages) // 2]
    ogg[middle + 6 : middle + 14] = struct.pack("<q", 2**60)
    yield HostileFile(kitchen.put("granule-2e60.opus", bytes(ogg)), "broken clock", SALVAGED | {"longer_than_declared"})


def _not_files(kitchen: _Kitchen) -> Iterator[HostileFile]:
    folder, pipe, link = (kitchen.folder / name for name in ("folder.wav", "pipe.wav", "link.wav"))
    folder.mkdir(exist_ok=True)
    if not pipe.exists():
        os.mkfifo(pipe)
    for path, target in ((link, kitchen.folder / "nowhere"), (kitchen.folder / "endless.wav", Path("/dev/zero"))):
        path.unlink(missing_ok=True)
        path.symlink_to(target)
    yield HostileFile(folder, "not a file", frozenset({"not_media"}))
    yield HostileFile(pipe, "not a file", frozenset({"not_media"}))
    yield HostileFile(link, "not a file", frozenset({"not_found"}))
    yield HostileFile(kitchen.folder / "endless.wav", "not a file", frozenset({"not_media"}))
    yield HostileFile(kitchen.folder / "absent.wav", "not a file", frozenset({"not_found"}))


def _odd_tags(kitchen: _Kitchen) -> Iterator[HostileFile]:
    mp3 = kitchen.bytes_of("a.mp3")
    bare = mp3[mp3.index(b"\xff\xfb") :] if b"\xff\xfb" in mp3 else mp3
    frame = b"TIT2" + struct.pack(">I", 9) + b"\0\0\x03\xff\xfe\xc3\x28\xa0\xa1\xe2\x28"
    tag = b"ID3\x03\0\0" + bytes([0, 0, 0, len(frame)]) + frame
    yield HostileFile(kitchen.put("bad-utf8.mp3", tag + bare), "odd tags", frozenset({OK}))
    name = kitchen.folder / "náme with spaces %20 '\" 錄音.wav"
    name.write_bytes(kitchen.bytes_of("a.wav"))
    yield HostileFile(name, "odd tags", frozenset({OK}))


_MAKERS: tuple[Callable[[_Kitchen], Iterator[HostileFile]], ...] = (
    _truncated, _without_index, _bit_flips, _shifted, _zero_runs, _garbage, _wrong_extensions, _texts, _empties,
    _foreign,
    _playlists, _external_data, _video_only, _header_lies, _not_numbers, _leading_junk, _chained, _changes_midway,
    _bombs, _tiny, _broken_clocks, _not_files, _odd_tags,
)  # fmt: skip
