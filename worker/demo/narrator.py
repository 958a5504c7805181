"""Tells the story on a terminal."""

import json

from rich.console import Console
from rich.filesize import decimal
from rich.tree import Tree

from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.worker.demo.player import PREFIX, Outcome
from artifact_pipeline.worker.demo.story import JOB, Scene


class ConsoleNarrator:
    def __init__(self, console: Console) -> None:
        self._console = console

    def opening(self) -> None:
        created = f"{JOB.created_at:%Y-%m-%d %H:%M:%S}"
        self._console.print(f"[bold]job {JOB.id}[/] was created {created} UTC, and so all of it")
        self._console.print(f"belongs under [bold]{PREFIX.directory}[/], however late it comes\n")

    def message(self, raw: bytes, kwargs: dict[str, int]) -> None:
        self._console.print(
            "\n  the worker is not up yet; this waits in the broker, as it stands:\n"
        )
        text = raw.decode()
        self._console.print(text, style="dim", highlight=False, markup=False, soft_wrap=False)
        self._console.print(
            f"\n  {len(raw)} bytes, whose body says {json.dumps(kwargs)}: ids alone\n"
        )

    def asked(self, scene: Scene) -> None:
        self._console.print(f"{scene.asked_at:%Y-%m-%d %H:%M:%S}  asked for {scene.artifact}")

    def landed(self, scene: Scene, transfer: Transfer, seconds: float) -> None:
        size = decimal(transfer.bytes_sent or 0)
        self._console.print(
            f"{'':19}  [green]landed[/] {seconds:.2f} s later, {size}: {PREFIX.key(scene.artifact)}"
        )

    def ending(self, outcome: Outcome) -> None:
        tree = Tree(f"[bold]{PREFIX.directory}[/]")
        for landing in outcome.landings:
            name = landing.key.removeprefix(PREFIX.directory)
            tree.add(f"{name:<20} {decimal(landing.size):>9}  sha256 {landing.sha256[:16]}…")
        self._console.print(f"\n{outcome.list_requests} LIST finds them all:")
        self._console.print(tree)
        self._console.print(f"\n{outcome.seconds:.1f} s on a real broker, database, S3 and worker")


class SilentNarrator:
    """For `--json`, which prints only the outcome."""

    def message(self, raw: bytes, kwargs: dict[str, int]) -> None: ...

    def asked(self, scene: Scene) -> None: ...

    def landed(self, scene: Scene, transfer: Transfer, seconds: float) -> None: ...
