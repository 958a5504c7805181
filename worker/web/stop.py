"""The end of the server, for answers that never end by themselves."""

import asyncio


class Stop:
    """Wakes everyone who waits for it, once for all."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def set(self) -> None:
        """Wake those who wait. A handler of a signal may call it."""
        self._is_set = True
        for loop, woken in tuple(self._waiting):
            # A handler interrupts the loop, which would not notice the event before its next turn.
            loop.call_soon_threadsafe(woken.set)

    async def comes_within(self, seconds: float) -> bool:
        """Wait so long, or until it is set; return whether it is."""
        waiting = asyncio.get_running_loop(), asyncio.Event()
        self._waiting.add(waiting)
        try:
            # Look at it only now: it may have been set just before.
            if not self._is_set:
                await asyncio.wait_for(waiting[1].wait(), seconds)
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(waiting)
        return True
