"""Amazon SQS: kombu's transport, with names of queues that no two queues share."""

import re
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError
from kombu.transport import SQS

_LONGEST_NAME = 80
_READABLE = 50


class Channel(SQS.Channel):
    """A channel that keeps apart what differs in punctuation alone."""

    def entity_name(self, name: str, table: Any = None) -> str:  # noqa: ANN401, ARG002 - kombu's
        """Return the name that SQS can have."""
        if re.fullmatch(rf"[0-9A-Za-z_-]{{1,{_LONGEST_NAME}}}", name):
            return name
        readable = re.sub(r"[^0-9A-Za-z_-]", "_", name)[:_READABLE]
        return f"{readable}_{sha256(name.encode()).hexdigest()[:16]}"


class Transport(SQS.Transport):
    """A transport for which an answer with an error is an outage too."""

    Channel = Channel
    connection_errors = (*SQS.Transport.connection_errors, ClientError)
