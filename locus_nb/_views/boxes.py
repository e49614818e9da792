"""Boxes of ipywidgets, Output widgets, and others that hold widgets: what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import ipywidgets  # pyright: ignore[reportMissingTypeStubs] - it has none

from locus_nb._views.outputs import contents

if TYPE_CHECKING:
    from collections.abc import Iterator

W = TypeVar("W", bound=ipywidgets.DOMWidget)

# A box of nothing but views has this class: when none of them is live, it is not shown. The style of the pictures
# says so, which stay then.
OF_VIEWS = "locus-box-of-views"

# Gives the page a widget by its name, as a box does its children, whatever package it is of.
_to_names = cast("Any", ipywidgets).widget_serialization["to_json"]


def held(widget: ipywidgets.DOMWidget, kind: type[W]) -> list[W]:
    """Give the widgets of a kind that a widget holds, itself and boxes in boxes included, each once, in order."""
    seen: dict[ipywidgets.DOMWidget, None] = {}
    _visit(widget, kind, seen)
    return [one for one in seen if isinstance(one, kind)]


def holds(widget: ipywidgets.DOMWidget, one: ipywidgets.DOMWidget) -> bool:
    """Whether a widget is another one, or holds it."""
    seen: dict[ipywidgets.DOMWidget, None] = {}
    _visit(widget, None, seen)
    return one in seen


def mark_boxes_of(box: ipywidgets.DOMWidget, kind: type[ipywidgets.DOMWidget]) -> bool:
    """Give each box that holds nothing but such widgets the class `OF_VIEWS`, and no other; whether this one has it."""
    if not isinstance(box, ipywidgets.Box):
        return False
    children: tuple[Any, ...] = cast("Any", box).children
    marked = [isinstance(child, kind) or mark_boxes_of(child, kind) for child in children]
    is_one = bool(marked) and all(marked)
    if is_one:
        cast("Any", box).add_class(OF_VIEWS)
    else:
        cast("Any", box).remove_class(OF_VIEWS)
    return is_one


def _visit(
    widget: ipywidgets.DOMWidget,
    kind: type[ipywidgets.DOMWidget] | None,
    seen: dict[ipywidgets.DOMWidget, None],
) -> None:
    if widget in seen:
        return
    seen[widget] = None
    if kind is not None and isinstance(widget, kind):
        return
    for part in contents(widget):
        _visit(part, kind, seen)
    named = cast("Any", widget).traits(sync=True, to_json=_is_by_name)
    for name in named:
        for part in _parts(getattr(widget, name)):
            _visit(part, kind, seen)


def _is_by_name(to_json: object) -> bool:
    return to_json is _to_names


def _parts(value: object) -> Iterator[ipywidgets.DOMWidget]:
    if isinstance(value, ipywidgets.DOMWidget):
        yield value
    elif isinstance(value, list | tuple):
        for part in cast("list[object]", value):
            yield from _parts(part)
    elif isinstance(value, dict):
        for part in cast("dict[object, object]", value).values():
            yield from _parts(part)
