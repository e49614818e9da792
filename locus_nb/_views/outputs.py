"""Output widgets of ipywidgets: which of them take in what is shown now, and what is in them."""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import ipywidgets  # pyright: ignore[reportMissingTypeStubs] - it has none
from ipywidgets.widgets import widget as _registry  # pyright: ignore[reportMissingTypeStubs]

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

_contents: weakref.WeakKeyDictionary[
    ipywidgets.DOMWidget, weakref.WeakKeyDictionary[ipywidgets.DOMWidget, None]
] = weakref.WeakKeyDictionary()


def all_open() -> list[ipywidgets.DOMWidget]:
    """Give the widgets of this process that have a line to the page."""
    known = cast("dict[str, Any]", vars(_registry).get("_instances", {}))
    return [widget for widget in tuple(known.values()) if isinstance(widget, ipywidgets.DOMWidget)]


def taking_in(message: str) -> list[ipywidgets.Output]:
    """Give the Output widgets that take in what is shown for this message; of two the inner one does."""
    outputs = [widget for widget in all_open() if isinstance(widget, ipywidgets.Output)]
    return [output for output in outputs if message and cast("Any", output).msg_id == message]


def put(output: ipywidgets.Output, shown: ipywidgets.DOMWidget) -> None:
    """Note that a widget is shown in an Output widget."""
    _contents.setdefault(output, weakref.WeakKeyDictionary())[shown] = None


def contents(widget: ipywidgets.DOMWidget) -> list[ipywidgets.DOMWidget]:
    """Give the widgets that were shown in an Output widget; nothing for another one."""
    return list(_contents.get(widget, ()))


@contextmanager
def outside(outputs: Sequence[ipywidgets.Output]) -> Generator[None]:
    """Have what is shown meanwhile not taken in by these, of which there is one at the most."""
    messages = [cast("Any", output).msg_id for output in outputs]
    for output in outputs:
        cast("Any", output).msg_id = ""
    try:
        yield
    finally:
        for output, message in zip(outputs, messages, strict=True):
            cast("Any", output).msg_id = message
