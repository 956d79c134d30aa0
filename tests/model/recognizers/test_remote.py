"""A remote recogniser against a real HTTP server that misbehaves."""

import logging

import numpy as np
import pytest

from funasr_beam.model.batching import BatchLimits, recognize_all
from funasr_beam.model.endpoint import Endpoint, is_remote
from funasr_beam.model.errors import Cause, RunError, UsageError
from funasr_beam.model.families import REMOTE
from funasr_beam.model.recognizers.base import RecognizerSettings, RemoteSettings, Utterance
from funasr_beam.model.recognizers.families import describe_model, load_recognizer
from funasr_beam.model.recognizers.remote import RemoteRecognizer
from funasr_beam.model.records import Failure, Hypothesis, RecognitionOptions
from tests.transcription_server import KEY, serve_transcriptions

LIMITS = BatchLimits(1_000.0, 64)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("FUNASR_BEAM_API_KEY", KEY)
    with serve_transcriptions() as running:
        yield running


def recognizer(server, pauses=None, **changes):
    settings = RemoteSettings(**{"timeout_s": 5.0, "attempts": 3} | changes)
    pauses = [] if pauses is None else pauses
    return RemoteRecognizer(Endpoint(server.url, "tiny"), settings, pauses.append)


def utterance(samples=1_600, options=None):
    return Utterance(np.zeros(samples, np.int16), options or RecognitionOptions())


def only(outcomes):
    assert len(outcomes) == 1
    return outcomes[0]


def test_sound_options_and_key_arrive_and_the_text_comes_back(server):
    options = RecognitionOptions("fil", hotwords=("Fun-ASR", "<|im_end|>"), context="a call")
    outcome = only(recognizer(server).recognize([utterance(1_600, options)]))
    assert outcome == Hypothesis("heard 1600", (), "stop", language="en")
    heard = only(server.heard)
    assert heard.authorization == f"Bearer {KEY}"
    assert heard.fields["model"] == "tiny"
    assert heard.fields["language"] == "tl"
    assert heard.fields["prompt"].startswith("a call\nFun-ASR")
    assert "<|" not in heard.fields["prompt"]


def test_without_a_key_none_is_sent(server, monkeypatch):
    monkeypatch.delenv("FUNASR_BEAM_API_KEY")
    recognizer(server).recognize([utterance()])
    assert only(server.heard).authorization is None


def test_answers_come_in_order_and_no_more_than_allowed_at_once(server):
    server.script = ["slow:0.15", "slow:0.05", "ok", "slow:0.1"] * 3
    sizes = list(range(1_600, 1_612))
    outcomes = recognizer(server, max_in_flight=3).recognize([utterance(size) for size in sizes])
    assert [outcome.text for outcome in outcomes] == [f"heard {size}" for size in sizes]
    assert 2 <= server.most_at_once <= 3


def test_a_server_that_asks_for_a_pause_gets_it(server):
    pauses = []
    server.script = ["busy:7", "busy:Wed, 21 Oct 2015 07:28:00 GMT", "ok"]
    assert only(recognizer(server, pauses).recognize([utterance()])).text == "heard 1600"
    assert 7 <= pauses[0] <= 8
    assert 0 <= pauses[1] <= 1


def test_pauses_grow_and_are_never_endless(server):
    pauses = []
    server.script = ["status:503"] * 5 + ["busy:86400"]
    failure = only(recognizer(server, pauses, attempts=6).recognize([utterance()]))
    assert failure.cause is Cause.REMOTE_UNAVAILABLE
    assert len(pauses) == 5
    assert pauses[4] > pauses[0]
    server.script = ["busy:86400"]
    recognizer(server, pauses).recognize([utterance()])
    assert max(pauses) <= 61


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [
        ("status:503", Cause.REMOTE_UNAVAILABLE),
        ("status:522", Cause.REMOTE_UNAVAILABLE),
        ("status:429", Cause.REMOTE_UNAVAILABLE),
        ("cut", Cause.REMOTE_UNAVAILABLE),
        ("body:<html>no</html>", Cause.REMOTE_ANSWER),
        ('body:["text"]', Cause.REMOTE_ANSWER),
        ('body:{"text": 7}', Cause.REMOTE_ANSWER),
        ("body:", Cause.REMOTE_ANSWER),
    ],
)
def test_a_bad_answer_is_asked_for_again_and_then_a_retryable_failure(server, behaviour, cause):
    server.script = [behaviour, "ok"]
    assert only(recognizer(server).recognize([utterance()])).text == "heard 1600"
    server.script = [behaviour] * 3
    failure = only(recognizer(server).recognize([utterance()]))
    assert (failure.cause, failure.retryable) == (cause, True)
    assert "3 times" in failure.message
    assert KEY not in failure.message


@pytest.mark.parametrize("behaviour", ["hang", "drip"])
def test_a_server_that_does_not_end_its_answer_is_given_up(server, behaviour):
    server.script = [behaviour, "ok"]
    assert only(recognizer(server, timeout_s=0.5).recognize([utterance()])).text == "heard 1600"
    server.script = [behaviour] * 2
    failure = only(recognizer(server, timeout_s=0.5, attempts=1).recognize([utterance()]))
    assert failure.cause is Cause.REMOTE_UNAVAILABLE


def test_a_refused_segment_is_not_sent_again_and_its_neighbours_are_fine(server):
    server.script = ["ok", "status:413", "ok"]
    outcomes = recognize_all(
        recognizer(server, max_in_flight=1), [utterance(size) for size in (1_602, 1_601, 1_600)], LIMITS
    )
    assert [isinstance(outcome, Failure) for outcome in outcomes] == [False, True, False]
    assert (outcomes[1].cause, outcomes[1].retryable) == (Cause.REMOTE_REFUSED, False)
    assert len(server.heard) == 3  # nothing was sent twice because of a neighbour
    assert KEY not in outcomes[1].message


@pytest.mark.parametrize("door", [401, 403])
def test_a_wrong_key_stops_the_run_before_any_work(server, door):
    server.door = door
    with pytest.raises(RunError, match="refuses the key in FUNASR_BEAM_API_KEY") as error:
        load_recognizer(f"{server.url}#tiny", RecognizerSettings())
    assert KEY not in str(error.value)
    assert server.heard == []


def test_a_missing_key_is_told_by_the_name_of_its_variable(server, monkeypatch):
    monkeypatch.delenv("FUNASR_BEAM_API_KEY")
    server.door = 401
    with pytest.raises(RunError, match="wants a key; set FUNASR_BEAM_API_KEY"):
        recognizer(server)


@pytest.mark.parametrize(
    ("behaviour", "told"), [("status:401", "refuses the key"), ("status:404", "knows no model tiny")]
)
def test_what_every_request_would_meet_stops_the_run(server, behaviour, told):
    server.script = [behaviour] * 20
    with pytest.raises(RunError, match=told) as error:
        recognize_all(recognizer(server), [utterance()] * 4, LIMITS)
    assert KEY not in str(error.value)


def test_a_server_that_lists_no_models_is_fine_and_one_that_is_not_there_is_a_message(server):
    server.door = 404
    assert only(recognizer(server).recognize([utterance()])).text == "heard 1600"
    with pytest.raises(RunError, match="cannot be reached"):
        RemoteRecognizer(Endpoint("http://127.0.0.1:9/v1", "tiny"), RemoteSettings())


def test_a_redirect_is_not_followed_with_the_key(server):
    server.door = 307
    with pytest.raises(RunError, match="sends elsewhere"):
        recognizer(server)


def test_requests_begin_at_the_wanted_rate(server):
    pauses = []
    recognizer(server, pauses, requests_per_minute=0.6, max_in_flight=1).recognize([utterance()] * 4)
    assert pauses[-1] == pytest.approx(300, abs=60)  # before the fourth, as nobody really paused


def test_a_remote_model_is_named_by_address_and_name_and_recorded_without_secrets(server):
    info = describe_model("https://asr.example.com:8443/v1/#Qwen/Qwen3-ASR-1.7B")
    assert (info.model_id, info.sha256) == ("Qwen/Qwen3-ASR-1.7B@asr.example.com:8443", None)
    assert info.family is REMOTE
    assert info.identity == info.model_id
    assert is_remote("http://h/v1#m") and not is_remote("owner/model")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("https://host/v1", "write https://HOST/v1#MODEL-NAME"),
        (f"https://me:{KEY}@host/v1#m", "belongs into the environment"),
        (f"https://host/v1?api_key={KEY}#m", "belongs into the environment"),
    ],
)
def test_an_address_without_a_name_or_with_a_secret_is_refused_and_not_repeated(name, why):
    with pytest.raises(UsageError, match=why) as error:
        describe_model(name)
    assert KEY not in str(error.value)


def test_the_key_is_in_no_log_and_no_representation(server, caplog):
    server.script = ["status:500", "busy:1", "cut"]
    with caplog.at_level(logging.DEBUG):
        made = recognizer(server)
        made.recognize([utterance()])
    assert KEY not in caplog.text
    assert KEY not in repr(made) + repr(vars(made)) + repr(made.describe())
