"""All live views in one box."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, cast

import ipywidgets  # pyright: ignore[reportMissingTypeStubs] - it has none

from locus_nb._bus import get_event_bus
from locus_nb._views.late import OpensLate
from locus_nb._views.monitor import BusMonitor, monitor
from locus_nb._views.notebook import NOTHING, show_output, update_output
from locus_nb._views.view import settle, take_place
from locus_nb._views.watch import RunsView, RunView, bus_to_watch, watch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from locus_nb._bus import EventBus
    from locus_nb._views.view import View


def dashboard(run: object = None, *, bus: EventBus | None = None) -> Dashboard:
    """Put the views of a bus into one box: the bus itself, all runs, and one of them.

    Like each view, it shows itself when it is displayed, and is replaced when its cell runs again.

    Args:
        run: The run to show by itself, as `watch` takes it; None: the one that was published to last. If there is
            none yet, there is no view of it.
        bus: The bus to watch. None: the one that `run` is of, if that is a `Run`, as `watch` does; else the
            process's own.

    Raises:
        TypeError, ValueError: `run` cannot name a run.
        ValueError: `run` is a `Run` of a file, or of another store, and no bus is named.
        ViewRefusedError: The bus has as many global readers as it may have.

    Example:
        >>> from locus_nb import dashboard
        >>> with dashboard("run-1") as board:
        ...     [view.view for view in board.views]
        ['monitor', 'runs', 'run']
    """
    watched = bus or bus_to_watch(run, "dashboard()")
    place = take_place()
    if run is None:
        run = next(reversed(watched.run_ids()), None)
    # Where no other bus is meant, the monitor goes on with the successor of the process's own.
    is_own = bus is None and watched is get_event_bus()
    views: list[View] = [monitor(bus=None if is_own else watched), watch(bus=watched)]
    if run is not None:
        views.append(watch(run, bus=watched))
    made = Dashboard(views)
    settle(made, place)
    return made


class Dashboard(OpensLate, ipywidgets.VBox):
    """A box of live views; made by `dashboard`.

    In a notebook it is the box, and below it the pictures of its views, which the page hides while they live.
    A context manager: leaving it closes it. Its methods may be called from any thread.
    """

    def __init__(self, views: Sequence[View]) -> None:
        self.views = tuple(views)
        self._is_output = False
        super().__init__()

    @property
    def bus(self) -> BusMonitor:
        """The view of the bus."""
        return next(view for view in self.views if isinstance(view, BusMonitor))

    @property
    def all_runs(self) -> RunsView:
        """The view of all runs."""
        return next(view for view in self.views if isinstance(view, RunsView))

    @property
    def one_run(self) -> RunView | None:
        """The view of one run; None if there was no run."""
        return next((view for view in self.views if isinstance(view, RunView)), None)

    @property
    def was_seen(self) -> bool:
        """Whether a page has shown it."""
        return any(view.was_seen for view in self.views)

    def freeze(self) -> None:
        """Freeze each view, which leaves their pictures instead of the box. Idempotent."""
        for view in self.views:
            view.freeze()
        self._close_line()
        if self._is_output:
            self._is_output = False
            update_output(self._live_id, NOTHING)

    def close(self) -> None:
        """Freeze it. Idempotent."""
        self.freeze()

    def stop(self) -> None:
        """Stop following at once, and leave the pictures as they were last written. Idempotent."""
        for view in self.views:
            view.stop()
        self._close_line()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Dashboard of {', '.join(map(repr, self.views))}>"

    def __str__(self) -> str:
        return f"<Dashboard of {', '.join(map(str, self.views))}>"

    def _on_open(self) -> None:
        # Only now, because a box opens the lines of its children.
        self.children = self.views

    @property
    def _live_id(self) -> str:
        return f"{self.views[0].twin}-box"

    def _ipython_display_(self) -> None:
        if not self._over:
            self._is_output = True
            show_output({**self._box(), "text/plain": repr(self)}, display_id=self._live_id)
        for view in self.views:
            view.show_twin()

    def _repr_mimebundle_(self, **_which: object) -> dict[str, Any]:
        # For those that render objects themselves; IPython calls _ipython_display_.
        pictures = [view.picture() for view in self.views]
        texts = {kind: "\n".join(picture[kind] for picture in pictures) for kind in pictures[0]}
        return texts if self._over else self._box() | texts

    def _box(self) -> dict[str, Any]:
        # Asked for first: what ipywidgets gives is of no use without it.
        name = self.model_id
        return cast("Any", super())._repr_mimebundle_(model_id=name)
