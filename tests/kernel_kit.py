"""A real ipykernel, driven as a front end drives it: cells with ids, their outputs, interrupts."""

from __future__ import annotations

import ast
import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager

import locus_nb
from tests.bus_kit import GRACE_S

if TYPE_CHECKING:
    from collections.abc import Generator

    from jupyter_client.blocking.client import BlockingKernelClient

# A signal that comes just before a thread waits is not heard: then it is sent again. Rarely, because one that
# comes while the first is still being answered interrupts the answer.
PRESS_AGAIN_S = 5.0


@dataclass
class Ran:
    """A cell that was run.

    Attributes:
        execution_count: The number in its brackets.
        error: The name of the exception that left it; "" without one.
        traceback: As it was shown.
        printed: What it printed, standard error included.
        shown: What it displayed, `Out[]` included, as bundles.
    """

    execution_count: int | None = None
    error: str = ""
    traceback: str = ""
    printed: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)


class Kernel:
    """A kernel with one front end, which is this.

    Args:
        manager: Of the process.
        client: Connected to it.
    """

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager = manager
        self._client = client
        self._begun = ""
        self._ran = Ran()
        self._is_idle = True

    def run(self, code: str, *, cell_id: str | None = None) -> Ran:
        """Run a cell to its end; an exception in it fails the test."""
        ran = self.fail(code, cell_id=cell_id)
        assert not ran.error, ran.traceback
        return ran

    def fail(self, code: str, *, cell_id: str | None = None) -> Ran:
        """Run a cell to its end, whatever that is."""
        self.begin(code, cell_id=cell_id)
        return self.finish()

    def value(self, expression: str) -> Any:
        """The value of an expression, which JSON can hold, without a cell of its own."""
        asked = {"value": f"__import__('json').dumps({expression})"}
        self._send("", {"silent": True, "store_history": False, "user_expressions": asked})
        answer = self._reply()["content"]["user_expressions"]["value"]
        self.finish()
        assert answer["status"] == "ok", answer
        return json.loads(ast.literal_eval(answer["data"]["text/plain"]))

    def begin(self, code: str, *, cell_id: str | None = None, asks: bool = False) -> None:
        """Begin a cell; `asks`: this front end takes `input()`."""
        self._send(code, {"silent": False, "store_history": True, "allow_stdin": asks}, cell_id)

    def wait_prompt(self) -> str:
        """Wait until the cell that was begun calls `input()`; what that says."""
        return self._client.get_stdin_msg(timeout=GRACE_S)["content"]["prompt"]

    def has_prompt(self) -> bool:
        """Whether a cell has called `input()` since the last prompt that was waited for."""
        return self._client.stdin_channel.msg_ready()

    def type(self, line: str) -> None:
        """Answer an `input()`."""
        self._client.input(line)

    def wait_printed(self, text: str) -> None:
        """Wait until the cell that was begun has printed something."""
        deadline = time.monotonic() + GRACE_S
        while text not in self._ran.printed:
            assert not self._is_idle, f"it ended before it said {text!r}: {self._ran}"
            self._hear(deadline - time.monotonic())

    def interrupt(self) -> Ran:
        """Interrupt the cell that was begun, and wait for its end."""
        deadline = time.monotonic() + GRACE_S
        while not self._is_idle:
            assert time.monotonic() < deadline, "it does not heed the interrupt"
            self._manager.interrupt_kernel()
            again = time.monotonic() + PRESS_AGAIN_S
            while not self._is_idle and time.monotonic() < again:
                self._hear(again - time.monotonic(), may_be_silent=True)
        return self.finish()

    def finish(self) -> Ran:
        """Wait for the end of the cell that was begun."""
        deadline = time.monotonic() + GRACE_S
        while not self._is_idle:
            self._hear(deadline - time.monotonic())
        return self._ran

    def _send(self, code: str, content: dict[str, Any], cell_id: str | None = None) -> None:
        content = {
            "code": code,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        } | content
        metadata = {} if cell_id is None else {"cellId": cell_id}
        message = self._client.session.msg("execute_request", content, metadata=metadata)
        self._begun, self._ran, self._is_idle = message["header"]["msg_id"], Ran(), False
        self._client.shell_channel.send(message)

    def _reply(self) -> dict[str, Any]:
        while True:
            reply = self._client.get_shell_msg(timeout=GRACE_S)
            if reply["parent_header"].get("msg_id") == self._begun:
                return reply

    def _hear(self, seconds: float, *, may_be_silent: bool = False) -> None:
        """Take in the next thing that the kernel says."""
        try:
            message = self._client.get_iopub_msg(timeout=max(0.0, seconds))
        except Empty:
            assert may_be_silent, f"the kernel says nothing: {self._ran}"
            return
        if message["parent_header"].get("msg_id") == self._begun:
            self._note(message["msg_type"], message["content"])

    def _note(self, kind: str, content: dict[str, Any]) -> None:
        ran = self._ran
        if kind == "status":
            self._is_idle = content["execution_state"] == "idle"
        elif kind == "execute_input":
            ran.execution_count = content["execution_count"]
        elif kind == "stream":
            ran.printed += content["text"]
        elif kind == "error":
            ran.error, ran.traceback = content["ename"], "\n".join(content["traceback"])
        elif kind in {"display_data", "execute_result"}:
            ran.shown.append(content["data"])


@contextmanager
def running_kernel(folder: Path) -> Generator[Kernel]:
    """A kernel of this Python in a folder of its own, with this package and nothing of the user's."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(locus_nb.__file__).parents[1]),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }
    manager = KernelManager(connection_file=str(folder / "kernel.json"))
    manager.start_kernel(env=environment, cwd=str(folder))
    try:
        client = manager.client()
        client.start_channels(hb=False, control=False)
        try:
            client.wait_for_ready(timeout=GRACE_S)
            yield Kernel(manager, client)
        finally:
            client.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)
