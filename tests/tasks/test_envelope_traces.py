"""What is passed on of a trace, and what is left out."""

import pytest

from tests.integration.envelopes import SECRET
from tests.tasks.envelope_steps import taken_in, with_headers

TRACES = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate": "rojo=00f067aa0ba902b7,tenant@congo=t61rcWkgMzE",
    "baggage": "userId=alice, serverNode=DF%2028;secure;ttl=5",
    "sentry-trace": "771a43a4192642f0b136d5159a501700-7c22b3e5e6d4e1ff-1",
}


@pytest.mark.parametrize("is_nested", [False, True])
def test_a_trace_is_passed_on(*, is_nested: bool) -> None:
    headers = taken_in(with_headers(**({"headers": TRACES} if is_nested else TRACES)))["headers"]
    assert headers["headers"] == TRACES
    assert {name: headers[name] for name in TRACES} == TRACES


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("traceparent", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("traceparent", f"00-{'0' * 32}-b7ad6b7169203331-01"),
        ("traceparent", f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01"),
        ("traceparent", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01\n"),
        ("tracestate", "Upper=1"),
        ("tracestate", "a=" + "x" * 600),
        ("baggage", 'a="quoted"'),
        ("baggage", "a=" + "x" * 9000),
        ("baggage", "a=b" + ";c= " * 2000 + '"'),
        ("baggage", "a= ," * 60 + '"'),
        ("baggage", "a" + " " * 8000 + '"'),
        ("sentry-trace", SECRET),
        ("sentry-trace", 5),
    ],
)
def test_a_trace_of_another_grammar_is_left_out(name: str, value: object) -> None:
    assert taken_in(with_headers(**{name: value}))["headers"] == taken_in(with_headers())["headers"]


def test_a_long_tracestate_is_looked_at_quickly() -> None:
    hostile = "a" * 250 + "*" * 262
    assert "tracestate" not in taken_in(with_headers(tracestate=hostile))["headers"]
