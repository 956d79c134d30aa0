"""What metrics are grouped by, and the metrics of every group."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from funasr_beam.model.errors import UsageError
from funasr_beam.model.metrics.dataset import DatasetMetrics
from funasr_beam.model.tables import TABLES

OTHER = "(other)"
NONE = "(none)"

_METADATA = "metadata."


@dataclass(frozen=True)
class Grouping:
    """Rows are grouped by one key or by several together."""

    keys: tuple[str, ...]

    @property
    def name(self) -> str:
        """As the user types it: `language,metadata.queue`."""
        return ",".join(self.keys)

    @property
    def has_channel(self) -> bool:
        """Whether only segments have such a group: a recording has all of its channels."""
        return "channel" in self.keys


def parse_grouping(text: str) -> Grouping:
    """A grouping from `language`, `folder`, `channel`, `metadata.NAME` or columns of `recordings`, separated by commas.

    Raises:
        UsageError: a key is none of these.
    """
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    schema = TABLES["recordings"]
    plain = [column.name for column in schema if pa.types.is_string(column.type) or pa.types.is_integer(column.type)]
    wrong = [key for key in keys if key not in ("folder", "channel", *plain) and not key.startswith(_METADATA)]
    if wrong or not keys:
        known = f"language, folder, channel, metadata.NAME, or a column of recordings: {', '.join(plain)}"
        raise UsageError(f"--group-by {text}:", [*(f"{key}: is no key" for key in wrong), f"known: {known}"])
    return Grouping(keys)


def metadata_key(key: str) -> str | None:
    """The manifest's column that a key stands for, if any."""
    return key.removeprefix(_METADATA) if key.startswith(_METADATA) else None


@dataclass
class GroupedMetrics:
    """Metrics of everything, and of each group of every grouping."""

    everything: DatasetMetrics = field(default_factory=DatasetMetrics)
    groups: dict[str, dict[str, DatasetMetrics]] = field(default_factory=dict)

    def add(self, table: str, rows: pa.Table, labels: Mapping[str, pa.ChunkedArray]) -> None:
        """Count rows of `recordings` or `segments`.

        Args:
            table: which of the two.
            rows: with the columns that the metrics need.
            labels: by grouping, the group of each row; null: none.
        """
        _add(self.everything, table, rows)
        for name, label in labels.items():
            groups = self.groups.setdefault(name, {})
            for group in pc.unique(label.drop_null()).to_pylist():
                _add(groups.setdefault(group, DatasetMetrics()), table, rows.filter(pc.equal(label, group)))

    def merge(self, other: "GroupedMetrics") -> None:
        """Add what another one has counted."""
        self.everything.merge(other.everything)
        for name, groups in other.groups.items():
            mine = self.groups.setdefault(name, {})
            for group, metrics in groups.items():
                mine.setdefault(group, DatasetMetrics()).merge(metrics)


def _add(metrics: DatasetMetrics, table: str, rows: pa.Table) -> None:
    if table == "recordings":
        metrics.add_recordings(rows)
    else:
        metrics.add_segments(rows)
