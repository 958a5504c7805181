"""Versions of objects, in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from artifact_pipeline.domain.errors import UnsupportedByStoreError
from artifact_pipeline.domain.fakes.objects import InMemoryReader
from artifact_pipeline.domain.model.object_versions import ObjectVersion
from artifact_pipeline.domain.model.objects import ObjectAddress

_REQUEST = 1000


@dataclass(slots=True)
class InMemoryVersions:
    """The objects that a reader finds, and earlier versions of them.

    Attributes:
        earlier: versions that were replaced or deleted.
        locks: whether the store has locks.
        held: versions that are locked; deleting one is refused.
        refusals: codes with which the next deletions of an object are refused, one each.
        deletions: how many versions each request had.
        before: is called before each request.
    """

    reader: InMemoryReader
    earlier: list[ObjectVersion] = field(default_factory=list)
    locks: bool = False
    held: set[ObjectVersion] = field(default_factory=set)
    refusals: dict[ObjectAddress, list[str]] = field(default_factory=dict)
    deletions: list[int] = field(default_factory=list)
    before: Callable[[], object] = lambda: None

    def all(self, prefix: str) -> Iterator[ObjectVersion]:
        for there in self.reader.list(prefix):
            yield ObjectVersion(address=there.address, size=there.size)
        yield from [each for each in self.earlier if each.address.key.startswith(prefix)]

    def delete(self, versions: Sequence[ObjectVersion]) -> dict[ObjectVersion, str]:
        refused: dict[ObjectVersion, str] = {}
        for start in range(0, len(versions), _REQUEST):
            request = versions[start : start + _REQUEST]
            self.before()
            self.deletions.append(len(request))
            answers = [(each, self._delete(each)) for each in request]
            refused |= {each: code for each, code in answers if code}
        return refused

    def _delete(self, version: ObjectVersion) -> str:
        if version in self.held:
            return "AccessDenied"
        if self.refusals.get(version.address):
            return self.refusals[version.address].pop(0)
        if version.version_id is not None:
            self.earlier = [each for each in self.earlier if each != version]
        elif version.address.bucket == self.reader.bucket:
            self.reader.store.objects.pop(version.address.key, None)
        else:
            self.reader.elsewhere.pop(version.address, None)
        return ""

    def has_lock(self) -> bool:
        return self.locks

    def set_legal_hold(self, version: ObjectVersion, *, on: bool) -> None:
        if not self.locks:
            raise UnsupportedByStoreError("PutObjectLegalHold: the store has no locks")
        (self.held.add if on else self.held.discard)(version)
