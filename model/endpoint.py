"""Remote models: how a user names one, and what a run records of it."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from funasr_beam.model.errors import UsageError
from funasr_beam.model.redaction import redact


@dataclass(frozen=True)
class Endpoint:
    """Where a remote model is; holds no secret."""

    base_url: str  # such as https://host/v1
    model: str

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.base_url).netloc

    @property
    def model_id(self) -> str:
        """What stands in the rows."""
        return f"{self.model}@{self.host}"

    @classmethod
    def parse(cls, name: str) -> "Endpoint":
        """The endpoint that a user means by https://host/v1#model-name.

        Raises:
            UsageError: the model's name is missing, or a credential stands in the address.
        """
        address, _, model = name.partition("#")
        parts = urlsplit(address)
        problem = None
        if not parts.hostname or not model:
            problem = "is no remote model: write https://HOST/v1#MODEL-NAME"
        elif "@" in parts.netloc or parts.query:
            problem = "no user, password or key in the address: the key belongs into the environment"
        if problem:
            shown = redact(name) if problem.startswith("is") else f"{parts.scheme}://{parts.hostname}/…"
            raise UsageError("The model cannot be found:", [f'model = "{shown}": {problem}'])
        return cls(address.rstrip("/"), model)


def is_remote(name: str) -> bool:
    """Whether the user means a remote model: https://host/v1#model-name."""
    return name.startswith(("https://", "http://"))
