"""Nothing that is shown or stored carries a credential."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.redaction import RedactingFormatter, public_uri, redact, redact_all

SIGNED = (
    "https://h.example/b/a.wav?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAXX%2F20260101&X-Amz-Date=2026"
    "&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Security-Token=s3cr3t&X-Amz-Signature=s3cr3t"
)


@pytest.mark.parametrize(
    ("uri", "public"),
    [
        ("/a/b c.wav", "/a/b c.wav"),
        ("s3://bucket/a?b#c.wav", "s3://bucket/a?b#c.wav"),
        ("s3://AKIA:s3cr3t%2F@bucket/a@b:c.wav", "s3://bucket/a@b:c.wav"),
        ("https://me:s3cr3t@host/a.wav", "https://host/a.wav"),
        ("https://s3cr3t@host/a.wav", "https://host/a.wav"),
        (SIGNED, "https://h.example/b/a.wav"),
        (SIGNED.replace("?", "?part=2&"), "https://h.example/b/a.wav?part=2"),
        (
            "https://x.blob.core.windows.net/c/a.wav?sv=2024&se=2026&sr=b&sp=r&sig=s3cr3t",
            "https://x.blob.core.windows.net/c/a.wav",
        ),
        ("https://x/a?GoogleAccessId=s3cr3t&Expires=1&Signature=s3cr3t", "https://x/a"),
        ("https://x/get?id=7&access_token=s3cr3t", "https://x/get?id=7"),
        ("https://x/get?expires=never&key=a/b.wav", "https://x/get?expires=never&key=a/b.wav"),
        ("abfs://container@account.dfs.core.windows.net/a.wav", "abfs://container@account.dfs.core.windows.net/a.wav"),
        ("gs://bucket/a.wav", "gs://bucket/a.wav"),
        ("sftp://me@host/a.wav", "sftp://me@host/a.wav"),
        ("sftp://me:s3cr3t@host/a.wav", "sftp://host/a.wav"),
        ("https://me:s3cr3t@[host/a.wav?sig=s3cr3t", "https://[host/a.wav"),
    ],
)
def test_a_public_uri_names_the_file_and_not_who_may_read_it(uri, public):
    assert public_uri(uri) == public
    assert public_uri(public) == public
    assert public in redact(f"cannot read {uri} now").replace("***", "")


@given(st.text(st.characters(codec="utf-8", exclude_characters="/?#@\\[] \t\n\r"), min_size=8, max_size=20))
def test_no_password_survives_in_a_uri(password):
    from urllib.parse import quote

    secret = quote(password, safe="") + "S3CR3T"
    for uri in (f"s3://key:{secret}@bucket/a", f"https://u:{secret}@h/a", f"https://h/a?sig={secret}&x=1"):
        assert secret not in public_uri(uri)
        assert secret not in redact(f"'{uri}': refused")


def test_a_secret_of_the_environment_is_hidden_in_any_text(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountKey=abcdefgh==")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    told = redact("us-east-1 says: wJalrXUtnFEMI and AccountKey=abcdefgh== are wrong")
    assert told == "us-east-1 says: *** and *** are wrong"


def test_options_with_telling_names_lose_their_values():
    dump = {"output": "s3://k:s3cr3t@b/out", "runner": {"options": ["--s3_secret_access_key=s3cr3t", "--streaming=no"]}}
    assert redact_all({**dump, "password": "s3cr3t"}) == {
        "output": "s3://b/out",
        "runner": {"options": ["--s3_secret_access_key=***", "--streaming=no"]},
        "password": "***",
    }


def test_log_lines_and_tracebacks_are_redacted():
    try:
        raise OSError(f"403 for {SIGNED}")
    except OSError as error:
        record = logging.LogRecord("x", 40, "f", 1, "failed: %s", (SIGNED,), (OSError, error, error.__traceback__))
    text = RedactingFormatter("%(message)s").format(record)
    assert "Traceback" in text
    assert "s3cr3t" not in text
