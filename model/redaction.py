"""What may be shown: URIs and texts without the credentials that can hide in them."""

import logging
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from funasr_beam.model.forwarding_stream import ForwardingStream

HIDDEN = "***"

_NO_USERINFO = frozenset({"abfs", "abfss", "wasb", "wasbs", "az"})  # container@account stands there
_SIGNATURE = re.compile(
    r"(?i)^(x-amz-.*|x-goog-.*|x-oss-.*|x-cos-.*|q-(sign|ak|key|header|url).*|googleaccessid|awsaccesskeyid|ossaccesskeyid"
    r"|key-pair-id|signature|sig|policy|.*token|.*secret.*|.*passw(or)?d|api[-_]?key|access[-_]?key([-_]?id)?|auth(orization)?)$"
)
_WITH_SIGNATURE = re.compile(
    r"(?i)^(expires|se|sp|st|sv|sr|sip|spr|ss|srt|sk[a-z]+|sdd|sao|saoid|suoid|scid|hash-algorithm)$"
)
_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s'\"<>\\^`{|}]+")
_SECRET_NAME = re.compile(
    r"(?i)(secret|token|passw|credential|private|account_?key|access_?key|api_?key|connection_string|sas)"
)
_SECRET_PLACES = (
    "AWS_",
    "AZURE_",
    "GOOGLE_",
    "GCS_",
    "HF_",
    "HUGGING_FACE_",
    "FSSPEC_",
    "S3_",
    "FUNASR_BEAM_",
    "OPENAI_",
)
_SHORTEST_SECRET = 8
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Not tabulator and line feed, which our own messages have; the last ones turn the direction of what follows."""


def public_uri(uri: str) -> str:
    """A path or URI without user and password and without the parameters of a signature.

    It is what names a recording: a URL that is signed anew every night still means the same recording.

    Examples:
        >>> public_uri("https://me:secret@host/a.wav?part=2&X-Amz-Signature=abc&X-Amz-Expires=60")
        'https://host/a.wav?part=2'
        >>> public_uri("s3://bucket/a b.wav")
        's3://bucket/a b.wav'
    """
    if "://" not in uri:
        return uri
    try:
        scheme, netloc, path, query, fragment = urlsplit(uri)
    except ValueError:  # such as `https://[host/a.wav`, which nobody can ask
        return _place_only(uri)
    if ":" in netloc.rpartition("@")[0] or (scheme not in _NO_USERINFO and scheme in ("http", "https")):
        netloc = netloc.rpartition("@")[2]
    if scheme not in ("http", "https", *_NO_USERINFO):  # elsewhere `?` and `#` are parts of a key
        start = f"{uri.partition('://')[0]}://{uri.partition('://')[2].partition('/')[0]}"
        return f"{scheme}://{netloc}{uri[len(start) :]}"
    return urlunsplit((scheme, netloc, path, _public_query(query), fragment))


def redact(text: str) -> str:
    """A text as it may be shown: every URI in it public, every secret of the environment hidden."""
    if "://" in text:
        text = _URI.sub(lambda found: public_uri(found.group()), text)
    for secret in _environment_secrets(os.environ):
        text = text.replace(secret, HIDDEN)
    return text


def visible(text: str) -> str:
    r"""A text as a terminal or a log may show it: control characters, with which a name could forge lines, as escapes.

    >>> print(visible("a\x1b[2J\rb"))
    a\x1b[2J\rb
    """
    return _CONTROL.sub(lambda found: repr(found.group())[1:-1], text)


def redact_all(value: Any) -> Any:
    """A nested value of lists, dicts and texts, each text redacted, and options with telling names hidden."""
    if isinstance(value, str):
        return _redact_option(redact(value))
    if isinstance(value, Mapping):
        return {key: HIDDEN if _is_secret(key, item) else redact_all(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_all(item) for item in value]
    return value


class RedactingFormatter(logging.Formatter):
    """Formats log records, tracebacks too, and leaves secrets out."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as it may be shown."""
        return visible(redact(super().format(record)))


class RedactingStream(ForwardingStream):
    """A text stream that leaves secrets out of what is written to another one."""

    def shown(self, text: str) -> str:
        """The text as it may be shown."""
        return redact(text)


def is_secret_name(name: str) -> bool:
    """Whether an option of that name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def _place_only(uri: str) -> str:
    scheme, mark, rest = uri.partition("://")
    host, slash, path = rest.partition("?")[0].partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"


def _public_query(query: str) -> str:
    """The parameters that say which file is meant, without those that say who may read it."""
    pairs = [pair for pair in query.split("&") if pair]
    names = [pair.partition("=")[0] for pair in pairs]
    signed = any(_SIGNATURE.match(name) for name in names)
    kept = [
        pair
        for pair, name in zip(pairs, names, strict=True)
        if not _SIGNATURE.match(name) and not (signed and _WITH_SIGNATURE.match(name))
    ]
    return "&".join(kept)


def _environment_secrets(environment: Mapping[str, str]) -> list[str]:
    found = {
        value
        for name, value in environment.items()
        if name.startswith(_SECRET_PLACES) and is_secret_name(name) and _can_be_secret(value)
    }
    return sorted(found, key=len, reverse=True)


def _can_be_secret(value: str) -> bool:
    return len(value) >= _SHORTEST_SECRET and not value.startswith("/")


def _is_secret(name: object, value: object) -> bool:
    return isinstance(value, str) and bool(value) and is_secret_name(str(name))


def _redact_option(text: str) -> str:
    """`--s3_secret_access_key=abc` and `name=value` with a telling name lose their value."""
    name, equals, value = text.partition("=")
    return f"{name}={HIDDEN}" if equals and value and " " not in name and is_secret_name(name) else text
