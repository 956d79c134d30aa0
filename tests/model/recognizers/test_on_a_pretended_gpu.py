"""What every model does on a GPU is done there, and gives what a CPU gives: with real classes on a pretended GPU."""

import string
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from funasr_beam.model.aligners import qwen3
from funasr_beam.model.aligners.base import AlignTask
from funasr_beam.model.aligners.loading import load_aligner
from funasr_beam.model.checkpoint import DEMO_FOLDER
from funasr_beam.model.front_end import SpanAudio, UnitAudio
from funasr_beam.model.recognizers.base import RecognizerSettings, Utterance
from funasr_beam.model.recognizers.families import load_recognizer
from funasr_beam.model.records import SAMPLE_RATE, Recording, Segment, Span, Unit
from funasr_beam.model.transcripts import TranscriberConfig, load_transcriber
from tests.audio_doubles import sound
from tests.pretended_gpu import GPU, There, pretended_gpu
from tests.tiny_families import (
    build_glm_asr,
    build_qwen3_aligner,
    build_qwen3_asr,
    build_wav2vec2,
    build_whisper,
)

pytestmark = pytest.mark.skipif(not torch.backends.cuda.is_built(), reason="this torch knows of no GPUs")
NEEDS_DEMO = pytest.mark.skipif(not DEMO_FOLDER.is_dir(), reason="the demo checkpoint has not been trained yet")
SPEECH = Path(__file__).parents[3] / "samples" / "calls" / "en-mono.wav"
TASKS = [AlignTask(sound(1.5, 1), "hello world", "en"), AlignTask(sound(2.5, 2), "twenty apples no", "en")]


@pytest.fixture
def there(monkeypatch):
    with pretended_gpu(monkeypatch):
        yield


def test_tensors_of_both_devices_do_not_mix(there):
    on_gpu, on_cpu = torch.ones(3, device=GPU), torch.ones(3)
    with pytest.raises(RuntimeError, match="same device"):
        on_gpu + on_cpu
    with pytest.raises(RuntimeError, match="same device"):
        torch.nn.Linear(3, 3).to(GPU)(on_cpu)
    with pytest.raises(RuntimeError):
        on_gpu.numpy()
    doubled = on_gpu * torch.tensor(2.0) + on_cpu.to(GPU)
    assert isinstance(doubled, There)
    assert doubled.cpu().tolist() == [3.0, 3.0, 3.0]


@NEEDS_DEMO
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("auto", 0.2), ("bfloat16", 0.2)])
def test_the_demo_checkpoint_writes_the_same_text_with_the_same_times(monkeypatch, precision, tolerance):
    utterances = _speech()
    wanted = load_recognizer("demo", RecognizerSettings(device="cpu")).recognize(utterances)
    with pretended_gpu(monkeypatch) as graphs:
        settings = RecognizerSettings(device="cuda:0", llm_precision=precision, encoder_precision=precision)
        found = load_recognizer("demo", settings).recognize(utterances)
    assert sum(graph.replays for graph in graphs) >= max(len(item.tokens) for item in wanted) - 1
    assert [item.text for item in found] == [item.text for item in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert [word.text for word in one.words or ()] == [word.text for word in other.words or ()]
        assert [word.start_s for word in one.words or ()] == pytest.approx([word.start_s for word in other.words or ()])
        assert [token.logprob for token in one.tokens] == pytest.approx(
            [token.logprob for token in other.tokens], abs=tolerance
        )
    assert [item.words is not None for item in found] == [True, True, False]


@pytest.mark.parametrize("build", [build_qwen3_asr, build_glm_asr, build_whisper])
def test_other_families_write_the_same_texts(build, monkeypatch, tmp_path):
    utterances = [Utterance(sound(seconds, seed)) for seed, seconds in enumerate((1.3, 0.4, 2.7))]
    settings = RecognizerSettings(device="cpu", base_tokens=3, tokens_per_s=6, llm_precision="float32")
    folder = str(build(tmp_path))
    wanted = load_recognizer(folder, settings).recognize(utterances)
    with pretended_gpu(monkeypatch):
        found = load_recognizer(folder, replace(settings, device="cuda:0")).recognize(utterances)
    assert [item.text for item in found] == [item.text for item in wanted]
    assert len({item.text for item in found}) > 1


@pytest.mark.parametrize("norm", ["layer", "group"])
def test_the_letter_aligner_gives_the_same_times(norm, monkeypatch, tmp_path):
    folder = build_wav2vec2(tmp_path, string.ascii_lowercase + "'\u00e4", norm=norm)
    wanted = load_aligner("wav2vec2", str(folder), "cpu").align(TASKS)
    with pretended_gpu(monkeypatch):
        found = load_aligner("wav2vec2", str(folder), "cuda:0").align(TASKS)
    times = [[(word.text, word.start_s, word.end_s) for word in item.words] for item in found]
    assert times == [[(word.text, word.start_s, word.end_s) for word in item.words] for item in wanted]
    assert [item.score for item in found] == pytest.approx([item.score for item in wanted], abs=1e-4)


def test_the_forced_aligner_marks_the_same_places(monkeypatch, tmp_path):
    monkeypatch.setattr(qwen3, "llm_dtype", lambda precision, device: torch.float32)
    folder = str(build_qwen3_aligner(tmp_path))
    on_cpu = load_aligner("qwen3", folder, "cpu")
    pieces = [on_cpu._pieces(task) for task in TASKS]
    with pretended_gpu(monkeypatch):
        on_gpu = load_aligner("qwen3", folder, "cuda:0")
        found = on_gpu._mark(TASKS, pieces)
        assert len(on_gpu.align(TASKS)) == len(TASKS)
    wanted = on_cpu._mark(TASKS, pieces)
    assert [classes.tolist() for classes, _ in found] == [classes.tolist() for classes, _ in wanted]


@NEEDS_DEMO
def test_units_are_transcribed_as_on_a_cpu(monkeypatch):
    config = TranscriberConfig("demo", process="shared")
    wanted = load_transcriber(replace(config, device="cpu")).transcribe(_unit())
    with pretended_gpu(monkeypatch):
        pool = load_transcriber(replace(config, device="cuda", llm_precision="float32"))
        found = pool.transcribe(_unit())
    load_transcriber.cache_clear()
    assert [member.device for member in pool.members] == ["cuda:0"]
    for one, other in zip(found.spans[0].segments, wanted.spans[0].segments, strict=True):
        assert (one.text, one.flags, one.timestamp_source) == (other.text, other.flags, "ctc")
        assert [word.start_s for word in one.words] == pytest.approx([word.start_s for word in other.words])


def _unit():
    span = Span("s", Recording("r", "file:///a.wav", "1-2", 10), None, 0, 0.0, 8.0)
    first, second, _ = (item.samples for item in _speech())
    segments = (Segment(0, 0, 0.0, 3.0, first), Segment(0, 1, 3.0, 8.0, second))
    return UnitAudio(Unit("u", (span,)), (SpanAudio(span, None, 0.0, 8.0, segments),))


def _speech():
    with wave.open(str(SPEECH)) as file:
        samples = np.frombuffer(file.readframes(8 * SAMPLE_RATE), np.int16)
    first, second = samples[: 3 * SAMPLE_RATE], samples[3 * SAMPLE_RATE :]
    return [Utterance(first), Utterance(second), Utterance(first, itn=True)]
