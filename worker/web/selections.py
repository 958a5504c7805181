"""Tokens of selections: what was shown, and how much it was, signed for one user."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta

from artifact_pipeline.domain.model.selection import Selection
from artifact_pipeline.worker.web.access.csrf import Signer
from artifact_pipeline.worker.web.errors import ChangedError

_VALID = timedelta(minutes=15)
_PURPOSE = "selection"


@dataclass(frozen=True, slots=True)
class ShownSelection:
    """A selection that was shown to a user.

    Attributes:
        filters: which fit what had failed until `at`, and nothing that failed since.
        count: how many these were.
        at: by the database's clock.
    """

    filters: Selection
    count: int
    at: datetime

    def token(self, signer: Signer, user: str) -> str:
        """Return what stands for it."""
        fields = {
            "filters": self.filters.model_dump(mode="json", exclude_defaults=True),
            "count": self.count,
            "at": self.at.isoformat(),
        }
        text = urlsafe_b64encode(json.dumps(fields).encode()).decode()
        return f"{text}.{signer.sign(_PURPOSE, f'{user} {text}')}"

    @classmethod
    def of(cls, token: str, signer: Signer, user: str, now: datetime) -> "ShownSelection":
        """Return what a token stands for.

        Raises:
            ChangedError: it is not the user's, or it was shown too long ago.
        """
        text, _, signature = token.partition(".")
        if not signer.is_signed(_PURPOSE, f"{user} {text}", signature):
            raise ChangedError("the selection is not one that was shown to you. Look again")
        fields = json.loads(urlsafe_b64decode(text))
        at = datetime.fromisoformat(fields["at"])
        if now - at > _VALID:
            raise ChangedError("the selection was shown too long ago. Look again")
        filters = Selection.model_validate_json(json.dumps(fields["filters"]))
        return cls(filters, fields["count"], at)
