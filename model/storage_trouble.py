"""What a storage says no with, told apart, and what becomes of it: a recording's cause, or the end of the run."""

import errno
import sys
from collections.abc import Iterator, Sequence
from enum import Enum, auto

from funasr_beam.model.errors import Cause, RecordingError, RunError
from funasr_beam.model.redaction import redact


class Trouble(Enum):
    """Kinds of trouble that ask for different answers."""

    MISSING = auto()
    REFUSED = auto()
    CREDENTIALS = auto()  # none, wrong or expired: nothing else will work either
    NO_CREDENTIALS = auto()
    CLOCK = auto()
    FULL = auto()
    READ_ONLY = auto()
    IS_FOLDER = auto()
    NOT_FOLDER = auto()
    NO_MORE_FILES = auto()  # of this process or machine: no storage is to blame, and nothing else will work either
    OTHER = auto()  # a bad moment, as far as anybody can tell


_CREDENTIAL_CODES = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "TokenRefreshRequired",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "400",  # S3 answers HEAD without a body: this is how an expired token looks there
    }
)
_CREDENTIAL_ERRORS = frozenset(
    {
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
        "SSOTokenLoadError",
        "ProfileNotFound",
        "RefreshError",
        "ClientAuthenticationError",
    }
)
_BY_ERRNO = {
    errno.ENOSPC: Trouble.FULL,
    errno.EDQUOT: Trouble.FULL,
    errno.EFBIG: Trouble.FULL,
    errno.EROFS: Trouble.READ_ONLY,
}
_NO_MORE_FILES = frozenset({errno.EMFILE, errno.ENFILE})
_NO_CREDENTIALS = frozenset({"NoCredentialsError", "DefaultCredentialsError"})
_HOW_TO_LOG_IN = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or what your storage uses)"
MAY_BE_GONE = "compact and forget delete files while others read: the same command again"
SAME_COMMAND = "what is committed is kept, and the same command goes on from there"


def storage_errors() -> tuple[type[Exception], ...]:
    """The exceptions by which storage says no; those of remote storage only once its library is loaded."""
    found: list[type[Exception]] = [OSError]
    for module, name in (
        ("aiohttp", "ClientError"),
        ("botocore.exceptions", "BotoCoreError"),
        ("botocore.exceptions", "ClientError"),
        ("gcsfs.retry", "HttpError"),
        ("google.auth.exceptions", "GoogleAuthError"),
        ("azure.core.exceptions", "AzureError"),
    ):
        if module in sys.modules:
            found.append(getattr(sys.modules[module], name))
    return tuple(found)


def trouble_of(error: BaseException) -> Trouble:
    """Which kind of trouble an exception tells of."""
    chain = list(_chain(error))
    if about_all := _about_all(chain):
        return about_all
    statuses = [status for link in chain if isinstance(status := getattr(link, "status", None), int)]
    if statuses:  # what the server said counts more than what a library made of it
        return {401: Trouble.REFUSED, 403: Trouble.REFUSED, 404: Trouble.MISSING, 410: Trouble.MISSING}.get(
            statuses[0], Trouble.OTHER
        )
    if any(_is_connection_error(link) for link in chain):
        return Trouble.OTHER
    return _by_type(error)


def storage_failure(uri: str, error: Exception) -> RecordingError | RunError:
    """The cause and message for what a storage said of one recording; an end of the run where it is about all."""
    trouble = trouble_of(error)
    if trouble in (Trouble.CREDENTIALS, Trouble.NO_CREDENTIALS, Trouble.CLOCK, Trouble.NO_MORE_FILES):
        return run_failure(uri, error)
    if trouble in (Trouble.MISSING, Trouble.NOT_FOLDER):
        return RecordingError(Cause.NOT_FOUND, f"{uri}: is not there; it was moved or deleted since it was listed")
    if trouble is Trouble.REFUSED:
        what = redact(str(error))
        return RecordingError(Cause.ACCESS_DENIED, f"{uri}: reading was refused ({what}); check the credentials")
    if trouble is Trouble.IS_FOLDER:
        return RecordingError(Cause.NOT_MEDIA, f"{uri}: is a folder; name the files in it")
    return RecordingError(Cause.STORAGE_UNAVAILABLE, f"{uri}: the storage failed ({_said(error)}); try again later")


def run_failure(where: str, error: Exception) -> RunError:
    """Why the run cannot go on, when a storage said this of `where` (a public URI), and what to do about it."""
    said = _said(error)
    match trouble_of(error):
        case Trouble.CREDENTIALS:
            text = f"the storage does not accept the credentials ({said}); renew them: {SAME_COMMAND}"
        case Trouble.NO_CREDENTIALS:
            text = f"no credentials were found ({said}); {_HOW_TO_LOG_IN}"
        case Trouble.CLOCK:
            text = f"the storage finds this machine's clock wrong ({said}); set it: {SAME_COMMAND}"
        case Trouble.FULL:
            text = f"there is no space left ({said}); make room: {SAME_COMMAND}"
        case Trouble.NO_MORE_FILES:
            text = f"this machine lets the program open no more files ({said}); raise ulimit -n: {SAME_COMMAND}"
        case Trouble.READ_ONLY | Trouble.REFUSED:
            text = f"cannot be written ({said}); check the permissions, or choose another --output"
        case Trouble.NOT_FOLDER:
            text = f"is a file, and should be a folder ({said}); name another place"
        case Trouble.MISSING:
            text = f"is not there ({said}); create the bucket or folder, or name another"
        case _:
            text = f"the storage failed, even after retries ({said}); try again later: {SAME_COMMAND}"
    return RunError(f"{where}: {text}")


def _about_all(chain: Sequence[BaseException]) -> Trouble | None:
    """Trouble that every recording will have."""
    if any(isinstance(link, OSError) and link.errno in _NO_MORE_FILES for link in chain):
        return Trouble.NO_MORE_FILES
    if any(_code(link) in _CREDENTIAL_CODES or type(link).__name__ in _CREDENTIAL_ERRORS for link in chain):
        return Trouble.CREDENTIALS
    if any(type(link).__name__ in _NO_CREDENTIALS for link in chain):
        return Trouble.NO_CREDENTIALS
    return Trouble.CLOCK if any(_code(link) == "RequestTimeTooSkewed" for link in chain) else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it was made from."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _code(error: BaseException) -> str:
    """The code that an S3 service answered with."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _is_connection_error(error: BaseException) -> bool:
    return isinstance(error, (ConnectionError, TimeoutError)) or type(error).__name__.startswith("ClientConnector")


def _by_type(error: BaseException) -> Trouble:
    if isinstance(error, OSError) and error.errno in _BY_ERRNO:
        return _BY_ERRNO[error.errno]
    if isinstance(error, FileNotFoundError):
        return Trouble.MISSING
    if isinstance(error, PermissionError):
        return Trouble.REFUSED
    if isinstance(error, NotADirectoryError):
        return Trouble.NOT_FOLDER
    return Trouble.IS_FOLDER if isinstance(error, IsADirectoryError) else Trouble.OTHER


def _said(error: Exception) -> str:
    return redact(str(error)) or type(error).__name__
