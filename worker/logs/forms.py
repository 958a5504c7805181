"""The forms that lines of the log can have."""

from typing import Literal

LogFormat = Literal["console", "json"]
