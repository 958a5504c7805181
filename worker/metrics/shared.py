"""One result for all who ask at the same time."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Calls a function once for all threads that ask while the call lasts.

    Args: `call` is never called by two threads at once.
    """

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._lock = Lock()
        self._under_way: Future[T] | None = None

    def get(self) -> T:
        """Return the result of the call that is under way, or of a new one."""
        with self._lock:
            under_way, is_mine = self._under_way, self._under_way is None
            if under_way is None:
                under_way = self._under_way = Future()
        if is_mine:
            self._carry_out(under_way)
        return under_way.result()

    def _carry_out(self, under_way: "Future[T]") -> None:
        try:
            under_way.set_result(self._call())
        except BaseException as error:  # noqa: BLE001 - it is raised in each thread that asks
            under_way.set_exception(error)
        finally:
            with self._lock:
                self._under_way = None
