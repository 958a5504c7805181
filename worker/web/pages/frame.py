"""What every page has around its content: the areas, the user, the addresses and a notice."""

from dataclasses import dataclass

from markupsafe import Markup

from artifact_pipeline.worker.web.pages.links import Links
from artifact_pipeline.worker.web.pages.templates import environment, version_of

AREAS = (
    ("/", "Overview"),
    ("/jobs", "Jobs"),
    ("/batches", "Batches"),
    ("/quarantine", "Quarantine"),
    ("/system", "System"),
    ("/history", "History"),
)
_CSRF_FIELD = "csrf_token"
_REFRESH = "every 5s"
_FALLBACK = "every 30s"
"""For a page that gets events, where a proxy holds them back."""


@dataclass(frozen=True, slots=True)
class User:
    """Who looks at a page. Attributes: `may_change` if they are an operator."""

    name: str
    may_change: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """What became of an action. Attributes: `tone` is the class of its colour."""

    text: str
    tone: str = "good"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The frame of one page. Attributes: `user` is None for a page that knows no user."""

    links: Links
    user: User | None = None
    csrf_token: str = ""
    notice: Notice | None = None

    def render(self, template: str, **values: object) -> str:
        """Return a page. Args: `values` are the template's own."""
        return (
            environment()
            .get_template(template)
            .render(
                url=self.links.url,
                links=self.links,
                here=self.links.here,
                static=self._static,
                user=self.user,
                csrf_field=self._csrf_field,
                areas=AREAS,
                area=_area_of(self.links.path),
                notice=self.notice,
                refresh=_REFRESH,
                fallback=_FALLBACK,
                **values,
            )
        )

    def _static(self, name: str) -> str:
        return f"{self.links.url(f'/static/{name}')}?v={version_of(name)}"

    def _csrf_field(self) -> Markup:
        return Markup('<input type="hidden" name="{}" value="{}">').format(
            _CSRF_FIELD, self.csrf_token
        )


def _area_of(path: str) -> str:
    """Return the area that a page belongs to; empty if none."""
    below = [area for area, _ in AREAS[1:] if path == area or path.startswith(f"{area}/")]
    return "/" if path == "/" else next(iter(below), "")
