"""What a worker does with its channel."""

from typing import Any

from kombu import Consumer, Queue


def take(channel: Any, queue: str = "configs") -> Any:
    """Return the next message, which is not acknowledged."""
    found: list[Any] = []
    consumer = Consumer(channel, [Queue(queue)])
    consumer.register_callback(lambda _body, message: found.append(message))
    consumer.consume()
    while not found:
        channel.connection.client.drain_events(timeout=10)
    return found[0]
