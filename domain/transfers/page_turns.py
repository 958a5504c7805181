"""Pages of the processes of one worker one after the other, while there is work for only one."""

from typing import Protocol


class PageTurns(Protocol):
    """Whose turn it is to claim a page.

    Two processes that claim what has just become due share it, and each page costs two statements
    and a task, however short it is.
    """

    def take(self) -> float:
        """Wait for the end of another process's page, for a limited time.

        Returns:
            The turn, by when it began.
        """

    def end(self, turn: float, *, is_full: bool | None) -> None:
        """End a turn.

        Args:
            turn: of `take`.
            is_full: whether the page had as many uploads as it may have, so that more may be due.
                No process waits then, until a page is not full. None if nothing was claimed.
        """


class NoTurns:
    """Turns that are free at once."""

    def take(self) -> float:
        return 0.0

    def end(self, turn: float, *, is_full: bool | None) -> None: ...
