"""The kinds of brokers: which URLs name each, and how it differs from the others.

It loads no Celery: a health check reads its settings every few seconds.
"""

from dataclasses import dataclass

REDIS_OPTION = "global_keyprefix"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerKind:
    """One kind of broker.

    Attributes:
        name: for people.
        schemes: of its URLs, with `://`.
        example: of a URL.
        prefix_option: kombu's transport option for ARTIFACTS_BROKER_PREFIX.
        is_group: several URLs name members of one group, such as its sentinels. Otherwise they are
            brokers to try in turn.
    """

    name: str
    schemes: tuple[str, ...]
    example: str
    prefix_option: str
    is_group: bool = False


REDIS = BrokerKind(
    name="Redis",
    schemes=("redis://", "rediss://", "redis+socket://"),
    example="redis://host:6379/0",
    prefix_option=REDIS_OPTION,
)
SENTINEL = BrokerKind(
    name="Redis Sentinel",
    schemes=("sentinel://",),
    example="sentinel://host1:26379/0;sentinel://host2:26379/0",
    prefix_option=REDIS_OPTION,
    is_group=True,
)
KINDS = (REDIS, SENTINEL)


def kind_of_url(url: str) -> BrokerKind | None:
    """Return the kind of the broker that a URL names, or None if no kind has its scheme.

    Args:
        url: or several, separated by semicolons, which are of one kind.
    """
    return next((kind for kind in KINDS if url.startswith(kind.schemes)), None)


def split_urls(url: str) -> list[str]:
    """Return the URLs to connect to in turn; the members of a group are one of them."""
    kind = kind_of_url(url)
    return [url] if kind is not None and kind.is_group else url.split(";")


def all_schemes() -> str:
    """Return the schemes of all kinds, for an error message."""
    schemes = [scheme for kind in KINDS for scheme in kind.schemes]
    return f"{', '.join(schemes[:-1])} or {schemes[-1]}"
