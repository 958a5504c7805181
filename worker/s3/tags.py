"""Tags that uploads give their objects, such as `team=cfd,job={job_id}`.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Self
from urllib.parse import quote, urlencode

from artifact_pipeline.domain.model.jobs import MAX_ID
from artifact_pipeline.domain.model.kinds import ArtifactKind

_MAX_TAGS, _MAX_KEY, _MAX_VALUE = 10, 128, 256
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_METADATA = {"job_id": "job", "run_id": "run", "kind": "kind"}
"""The artifact's metadata that fills each placeholder."""
_LONGEST = {"job": str(MAX_ID), "run": str(MAX_ID), "kind": max(ArtifactKind, key=len).value}
_EXAMPLE = "Example: team=cfd,job={job_id}"


@dataclass(frozen=True, slots=True)
class ObjectTags:
    """Tags for uploaded objects.

    Attributes: `templates` of values by tag, which may have placeholders.
    """

    templates: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the tags of a text. Raises: ValueError: S3 would not take them."""
        parts = text.split(",") if text.strip() else []
        templates = tuple(_pair(part) for part in parts)
        _check(templates)
        return cls(templates)

    @property
    def names(self) -> tuple[str, ...]:
        """The keys of the tags."""
        return tuple(name for name, _ in self.templates)

    def arguments(self, metadata: Mapping[str, str]) -> dict[str, str]:
        """Return the argument of a write; none where there are no tags.

        Args:
            metadata: of the artifact. A tag with `{run_id}` is left out where no run is in it.
        """
        tags = [
            (name, _filled(template, metadata))
            for name, template in self.templates
            if all(_METADATA[each] in metadata for each in _PLACEHOLDER.findall(template))
        ]
        return {"Tagging": urlencode(tags, quote_via=quote)} if tags else {}


NO_TAGS = ObjectTags()


def _pair(part: str) -> tuple[str, str]:
    name, equals, value = (each.strip() for each in part.partition("="))
    if not name or not equals:
        raise ValueError(f"{part.strip()!r} is not NAME=VALUE. {_EXAMPLE}")
    return name, value


def _check(templates: tuple[tuple[str, str], ...]) -> None:
    if len(templates) > _MAX_TAGS:
        raise ValueError(f"{len(templates)} tags, but S3 takes at most {_MAX_TAGS}")
    names = [name for name, _ in templates]
    for name, template in templates:
        problems = chain(_problems_of_name(name, names.count(name)), _problems_of_value(template))
        problem = next(problems, None)
        if problem is not None:
            raise ValueError(f"tag {name[:_MAX_KEY]!r}: {problem}")


def _problems_of_name(name: str, number: int) -> Iterator[str]:
    if number > 1:
        yield f"the name is given {number} times"
    if name.lower().startswith("aws:"):
        yield "names that begin with aws: are reserved"
    if len(name) > _MAX_KEY:
        yield f"its name has {len(name)} characters, and S3 takes {_MAX_KEY}"
    yield from _forbidden(name)


def _problems_of_value(template: str) -> Iterator[str]:
    for placeholder in _PLACEHOLDER.findall(template):
        if placeholder not in _METADATA:
            known = ", ".join(f"{{{each}}}" for each in _METADATA)
            yield f"{{{placeholder}}} is unknown. Use {known}"
            return
    longest = _filled(template, _LONGEST)
    if len(longest) > _MAX_VALUE:
        yield f"its value can have {len(longest)} characters, and S3 takes {_MAX_VALUE}"
    yield from _forbidden(longest)


def _forbidden(text: str) -> Iterator[str]:
    for character in text:
        # Letters, numbers and spaces of any language.
        if unicodedata.category(character)[0] not in "LNZ" and character not in "+-=._:/@":
            yield f"S3 does not take {character!r}. Use letters, digits, spaces and + - = . _ : / @"


def _filled(template: str, metadata: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: metadata[_METADATA[found[1]]], template)
