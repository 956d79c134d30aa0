"""Which models are on this machine already, ready to be loaded without a network."""

from dataclasses import dataclass
from pathlib import Path

from funasr_beam.model.checkpoint import DEMO, DEMO_FOLDER
from funasr_beam.model.checkpoint_folder import folder_problems
from funasr_beam.model.hub import cached_snapshot
from funasr_beam.model.known_models import KNOWN_MODELS, KnownModel, find_known, models_home


@dataclass(frozen=True)
class LocalModel:
    """A model by the name that `--model` takes, and where it lies."""

    name: str
    known: KnownModel | None  # None: the demo checkpoint, or a folder that was converted under a name of its own
    path: Path | None  # None: it is not on this machine
    problem: str | None = None  # why what lies there cannot be loaded

    @property
    def ready(self) -> bool:
        """Whether it can be loaded without a network."""
        return self.path is not None and self.problem is None


def list_models() -> list[LocalModel]:
    """The known models, the demo checkpoint and whatever else was converted on this machine; needs no network."""
    others = [path.name for path in _folders(models_home()) if find_known(path.name) is None]
    found = [_locate(known) for known in KNOWN_MODELS]
    found.append(LocalModel(DEMO, None, DEMO_FOLDER))
    return found + [_judge(str(models_home() / name), None, models_home() / name) for name in others]


def _locate(known: KnownModel) -> LocalModel:
    """The copy that `--model NAME` would load: a converted one, else the hub's cache."""
    converted = models_home() / known.name
    if converted.is_dir():
        return _judge(known.name, known, converted)
    cached = cached_snapshot(known.hub_id, None) if known.hub_id else None
    return LocalModel(known.name, known, None) if cached is None else _judge(known.name, known, cached)


def _judge(name: str, known: KnownModel | None, path: Path) -> LocalModel:
    problems = folder_problems(path)
    return LocalModel(name, known, path, problems[0] if problems else None)


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))
