"""How files with credentials in their URIs are opened: kept in memory and sent to the workers, never written."""

from dataclasses import dataclass, field, replace

from funasr_beam.model.records import Recording, Unit


@dataclass
class AccessUris:
    """The URIs with credentials behind public ones; one entry for all files of a host that only differ in the user."""

    hosts: dict[str, str] = field(default_factory=dict, repr=False)
    files: dict[str, str] = field(default_factory=dict, repr=False)

    def learn(self, recording: Recording) -> None:
        """Remember how a recording is opened, if that is not what its public URI says."""
        if recording.access_uri is None or self._of(recording.uri) == recording.access_uri:
            return
        host, access_host = _host(recording.uri), _host(recording.access_uri)
        if access_host + recording.uri.removeprefix(host) == recording.access_uri and host not in self.hosts:
            self.hosts[host] = access_host
        else:
            self.files[recording.uri] = recording.access_uri

    def restore(self, unit: Unit) -> Unit:
        """The unit as its worker opens it."""
        if not self.hosts and not self.files:
            return unit
        spans = (replace(span, recording=self._with_access(span.recording)) for span in unit.spans)
        return replace(unit, spans=tuple(spans))

    def _with_access(self, recording: Recording) -> Recording:
        return replace(recording, access_uri=self._of(recording.uri))

    def _of(self, uri: str) -> str | None:
        if uri in self.files:
            return self.files[uri]
        host = _host(uri)
        return self.hosts[host] + uri.removeprefix(host) if host in self.hosts else None


def _host(uri: str) -> str:
    scheme, mark, rest = uri.partition("://")
    return f"{scheme}{mark}{rest.partition('/')[0]}"
