"""A trace, as its headers name it."""

TRACE = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate": "rojo=00f067aa0ba902b7",
    "baggage": "userId=alice",
    "sentry-trace": "771a43a4192642f0b136d5159a501700-7c22b3e5e6d4e1ff-1",
}
