"""JSON with one value in a line.

The text is only cut into tokens and never parsed: so numbers, doubled names and escapes stay as
they are, deep nesting is harmless, and a text that is cut off or wrong is shown too.
"""

import re
from collections.abc import Iterator

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_DEEPEST = 40
"""Further levels are not indented more: the text would grow with the square of its depth."""
_EMPTY = {"{": "}", "[": "]"}


def indented(text: str, most: int) -> str:
    """Return JSON with line breaks and indents.

    Args: `most` characters; the rest of a longer text, and perhaps one more piece, is left out.
    """
    made: list[str] = []
    length = 0
    for piece in _pieces(_PIECE.findall(text)):
        if length > most:
            break
        made.append(piece)
        length += len(piece)
    return "".join(made)


def _pieces(pieces: list[str]) -> Iterator[str]:
    depth = 0
    for number, piece in enumerate(pieces):
        following = pieces[number + 1] if number + 1 < len(pieces) else ""
        if piece in _EMPTY:
            depth += 1
            is_empty = following == _EMPTY[piece]
            yield piece if is_empty else piece + _line(depth)
        elif piece in {"}", "]"}:
            depth = max(0, depth - 1)
            is_empty = number > 0 and _EMPTY.get(pieces[number - 1]) == piece
            yield piece if is_empty else _line(depth) + piece
        elif piece == ",":
            yield piece + _line(depth)
        else:
            yield ": " if piece == ":" else piece


def _line(depth: int) -> str:
    return "\n" + "  " * min(depth, _DEEPEST)
