"""Checks of passwords, one at a time, and few that wait."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from artifact_pipeline.worker.web.errors import BusyError

_WAITING = 20
"""Checks at once; each costs a core some hundredths of a second."""
_WAITING_OF_PEER = 5
"""So that one peer that guesses leaves places for others."""


class PasswordChecks:
    """Checks passwords in a thread of their own: guesses must not take all cores and threads."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="web-login")
        self._under_way: dict[bytes, asyncio.Future[bool]] = {}
        self._peers: dict[bytes, str] = {}

    async def run(
        self, check: Callable[[str], bool], password: str, mark: bytes, peer: str
    ) -> bool:
        """Return what the check returns.

        Args:
            check: blocks.
            password: that is checked.
            mark: of user and password. A browser that loads a page asks several times at once,
                and this costs one check.
            peer: who asks.

        Raises:
            BusyError: too many checks wait, of all or of this peer.
        """
        found = self._under_way.get(mark)
        if found is None:
            self._refuse_too_many(peer)
            loop = asyncio.get_running_loop()
            found = loop.run_in_executor(self._thread, check, password)
            self._under_way[mark], self._peers[mark] = found, peer
            found.add_done_callback(lambda _ended: self._forget(mark))
        # Whoever goes away must not end the check of another one.
        return await asyncio.shield(found)

    def _refuse_too_many(self, peer: str) -> None:
        waiting = list(self._peers.values())
        if len(waiting) >= _WAITING or waiting.count(peer) >= _WAITING_OF_PEER:
            raise BusyError("too many logins are being checked. Try again in a moment")

    def _forget(self, mark: bytes) -> None:
        del self._under_way[mark], self._peers[mark]
