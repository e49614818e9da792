"""All that a real kernel says to its front end, cell by cell: messages, replies, pages, completions."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty
from typing import TYPE_CHECKING, Any

from tests.bus_kit import GRACE_S
from tests.kernel_kit import running_kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

AGAIN_S = 0.5


@dataclass
class Cell:
    """What a kernel has said of one cell.

    Attributes:
        request: The id of the message that asked for it.
        messages: What came on IOPub because of it, and from threads while it ran, oldest first.
        reply: What it answered in the end.
    """

    request: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    reply: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """`ok`, `error`, or `aborted`."""
        return self.reply["status"]

    @property
    def error(self) -> str:
        """The name of the exception's class; empty without one."""
        return self.reply.get("ename", "")

    @property
    def said(self) -> str:
        """What is wrong, in the exception's words."""
        return self.reply.get("evalue", "")

    @property
    def trace(self) -> str:
        """What is shown of an error."""
        return "\n".join(_plain(line) for one in self._contents("error") for line in one["traceback"])

    @property
    def out(self) -> str | None:
        """What stands behind `Out[..]`; None for nothing."""
        results = self._contents("execute_result")
        assert len(results) < 2, "only one result has a place"
        return results[0]["data"]["text/plain"] if results else None

    @property
    def number(self) -> int:
        """Its execution count."""
        return self.reply["execution_count"]

    @property
    def shown(self) -> list[Mapping[str, str]]:
        """What was displayed, beside the result: mime type to content."""
        return [one["data"] for one in self._contents("display_data")]

    @property
    def text(self) -> str:
        """What was printed."""
        return "".join(one["text"] for one in self._contents("stream"))

    @property
    def help(self) -> str:
        """What the pager says."""
        return _plain("".join(one["data"]["text/plain"] for one in self.reply["payload"] if "data" in one))

    def _contents(self, kind: str) -> list[dict[str, Any]]:
        return [
            message["content"]
            for message in self.messages
            if message["msg_type"] == kind and message["parent_header"].get("msg_id") == self.request
        ]


class FrontEnd:
    """The one front end of a kernel.

    Args:
        manager: Of the running kernel.
        client: Connected to it.
        folder: Where the kernel is.
    """

    def __init__(self, manager: Any, client: Any, folder: Path) -> None:
        self.folder = folder
        self._manager = manager
        self._client = client
        self._cells = 0

    def start(
        self, code: str, cell_id: str | None = None, *, silent: bool = False, named: bool = True
    ) -> Cell:
        """Ask for a cell to be run; each is another one, of its own name, unless that is given."""
        self._cells += 1
        metadata = {"cellId": cell_id or f"cell-{self._cells}"} if named else {}
        content = {"code": code, "silent": silent, "store_history": not silent}
        content |= {"user_expressions": {}, "allow_stdin": False, "stop_on_error": False}
        message = self._client.session.msg("execute_request", content, metadata=metadata)
        self._client.shell_channel.send(message)
        return Cell(message["header"]["msg_id"])

    def wait(self, cell: Cell, until: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Read what the kernel says until a message is as asked for; the cell must not be over before."""
        while True:
            message = self._next(cell)
            if until(message):
                return message
            assert not _is_idle(message, cell), "the cell was over before that came"

    def finish(self, cell: Cell) -> Cell:
        """Read what the kernel says until the cell is over."""
        while not _is_idle(self._next(cell), cell):
            pass
        self._take_reply(cell)
        return cell

    def run(self, code: str, cell_id: str | None = None, **how: bool) -> Cell:
        """Run a cell to its end."""
        return self.finish(self.start(code, cell_id, **how))

    def ask(self, expression: str) -> Any:
        """Give the value of an expression in the kernel, by way of JSON, in a cell that leaves no trace."""
        cell = self.run(f"import json as _json; print(_json.dumps({expression}))", silent=True)
        assert cell.status == "ok", cell.said
        return json.loads(cell.text)

    def tell_widget(self, model_id: str, content: dict[str, Any]) -> None:
        """Say something to a widget, as its page does."""
        told = {"comm_id": model_id, "data": {"method": "custom", "content": content}}
        self._client.shell_channel.send(self._client.session.msg("comm_msg", told))

    def interrupt(self, cell: Cell) -> None:
        """Stop what runs, as the front end's button does, and read until it is over.

        ipykernel 7.4 hears that in an awaiting cell when its loop wakes for something else, so it is asked something.
        """
        self._manager.interrupt_kernel()
        self._client.kernel_info()
        while not cell.reply:
            try:
                message = self._client.get_iopub_msg(timeout=AGAIN_S)
            except Empty:
                self._client.kernel_info()
                continue
            cell.messages.append(message)
            if _is_idle(message, cell):
                self._take_reply(cell)

    def complete(self, code: str) -> list[str]:
        """Give what the text may go on with where it ends."""
        request = self._client.complete(code, len(code))
        return self._reply_to(request)["matches"]

    def _take_reply(self, cell: Cell) -> None:
        cell.reply = self._reply_to(cell.request)

    def _reply_to(self, request: str) -> dict[str, Any]:
        while True:
            reply = self._client.get_shell_msg(timeout=GRACE_S)
            if reply["parent_header"]["msg_id"] == request:
                return reply["content"]

    def _next(self, cell: Cell) -> dict[str, Any]:
        try:
            message = self._client.get_iopub_msg(timeout=GRACE_S)
        except Empty as error:
            raise TimeoutError(f"the kernel says nothing more; so far: {cell.messages[-5:]}") from error
        cell.messages.append(message)
        return message


def _is_idle(message: dict[str, Any], cell: Cell) -> bool:
    is_status = message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"
    return is_status and message["parent_header"].get("msg_id") == cell.request


def _plain(text: str) -> str:
    """Give a text without its colours."""
    parts = text.split("\x1b[")
    return parts[0] + "".join(part.partition("m")[2] for part in parts[1:])


@contextmanager
def front_end(folder: Path) -> Generator[FrontEnd]:
    """A kernel whose working directory is the folder, and its front end."""
    with running_kernel(folder) as started:
        yield FrontEnd(started._manager, started._client, folder)
