"""The live view of a run, or of all runs."""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any, Self, cast
from uuid import uuid4

from locus_nb._bus import get_event_bus
from locus_nb._errors import ViewRefusedError
from locus_nb._event import run_id_error
from locus_nb._notebook import NOTEBOOK
from locus_nb._pump import the_pump
from locus_nb._row_sink import RowSink
from locus_nb._static_table import static_html, static_text
from locus_nb._widget import TableWidget

if TYPE_CHECKING:
    from types import TracebackType

    from locus_nb._bus import EventBus
    from locus_nb._notebook import Place
    from locus_nb._subscription import Subscription

# More than any history holds: a view of all runs begins with everything that is kept.
_ALL_KEPT = sys.maxsize

# What is written into the static table at the most.
_STATIC_ROWS = 200

# So many views of cells without a name live at one time: where cells have none, a cell that was edited or that
# no page has shown cannot be told from another one.
_NAMELESS = 20

# The views that were displayed: the page shows them, so they live until they are stopped. Others live as long
# as somebody holds them.
_displayed: dict[LiveTable, None] = {}

# The views that were made in a cell, by place.
_made: weakref.WeakValueDictionary[Place, LiveTable] = weakref.WeakValueDictionary()


def watch(run: object = None, *, bus: EventBus | None = None) -> LiveTable:
    """Watch a run live, or all runs.

    Begins with the run's history, goes on while the run does, and follows it when it is opened again. The
    view works while its cell is blocked. Nothing is shown until the view is displayed: let it be the last
    expression of a cell, or pass it to `display`. A cell that is run again replaces the views it made before,
    also those that it no longer makes. A view that was never displayed ends with its last reference.

    Where the front end does not name its cells (nbclient, a terminal), a view is replaced if a page has shown it
    and a cell of the same text runs; otherwise it stays, as one of the newest 20.

    Args:
        run: A run id, or an object with a `run_id` (or `id`); never a name. It need not exist yet. None:
            all runs.
        bus: The bus to watch; the process's own if None.

    Raises:
        TypeError, ValueError: `run` cannot name a run.
        ViewRefusedError: The bus has as many global readers as it may have.

    Example:
        >>> from locus_nb import emit_sync, run_context, watch
        >>> view = watch("run-1")
        >>> with run_context("run-1"):
        ...     emit_sync("agent.think", iteration=1)
        >>> view.close()
    """
    run_id = _run_id_of(run)
    in_notebook = NOTEBOOK.connect()
    place = NOTEBOOK.place()
    before = None if place is None else _made.get(place)
    if place is not None and before is not None and (place.named or before.was_seen):
        before.stop()
    view = LiveTable(run_id, bus=bus or get_event_bus(), place=place)
    if place is not None:
        _made[place] = view
    if in_notebook:
        NOTEBOOK.on_cell_end(_end_cell)
    return view


class LiveTable:
    """A table of events that grows while they happen; made by `watch`, shown when it is displayed.

    In a notebook it is two outputs: the widget, and a static table that the page hides while the widget
    lives. The static one is brought up to date after each cell, and when the run ends. It is what a saved
    notebook shows, and nbconvert, and a page without the kernel.

    A context manager: leaving it closes the view. Its methods may be called from any thread. `place` is where in
    the notebook it was made, None outside of one.
    """

    def __init__(self, run_id: str | None, *, bus: EventBus, place: Place | None = None) -> None:
        self.run_id = run_id
        self.place = place
        self._twin = f"locus-nb-twin-{uuid4().hex[:12]}"
        self._stopped = False
        self._written: tuple[object, ...] = ()
        subscription = (
            bus.subscribe_global(replay=_ALL_KEPT) if run_id is None else bus.subscribe(run_id, follow=True)
        )
        if subscription.refused:
            msg = (
                "watch() found as many readers of all runs as the bus may have: close() views that are "
                "no longer needed, or watch one run"
            )
            raise ViewRefusedError(msg)
        # Made when it is displayed.
        self._widget: TableWidget | None = None
        me = weakref.ref(self)

        def send(content: dict[str, Any], buffers: list[bytes]) -> None:
            view = me()
            if view is not None and view._widget is not None:  # noqa: SLF001 - this view's own
                cast("Any", view._widget).send(content, buffers)  # noqa: SLF001 - as above

        def rest() -> None:
            view = me()
            if view is not None:
                view._rest()  # noqa: SLF001 - as above

        records = map(bus.run_record, bus.run_ids()) if run_id is None else ()
        self._subscription = subscription
        self._sink = RowSink(
            send,
            run_id=run_id,
            missed=subscription.missed,
            records=filter(None, records),
            is_busy=NOTEBOOK.is_busy,
            at_rest=rest,
        )
        the_pump().attach(subscription, self._sink)
        self._last_rites = weakref.finalize(self, _let_go, subscription, self._sink)
        self._last_rites.atexit = False

    @property
    def total(self) -> int:
        """Events it has shown so far."""
        return self._sink.store.total

    @property
    def missing(self) -> int:
        """Events it never shows.

        They were gone from history when it began, dropped because it was too slow, or unread when it was closed.
        """
        return self._sink.missing

    @property
    def status(self) -> str:
        """`waiting` for a first event, `live`, `ended`, or `failed`: it raised, and the log says what."""
        return self._sink.status

    @property
    def was_seen(self) -> bool:
        """Whether a page has shown it."""
        return self._sink.greeted

    def close(self) -> None:
        """Stop following; the static table stays, with all that was published before. Idempotent.

        Waits while there is progress; what the view still has not made into rows is counted as missing.
        """
        shown = -1
        while not the_pump().flush() and self.total > shown:
            shown = self.total
        self.stop()
        self.refresh()

    def stop(self) -> None:
        """Stop following at once, and leave the static table as it was last written. Idempotent."""
        self._stopped = True
        _displayed.pop(self, None)
        self._leave()
        if self._widget is not None:
            self._widget.close()

    def refresh(self) -> None:
        """Bring the static table up to date, if the view is displayed and there is news."""
        written = (self.total, self.missing, self.status)
        if self._written and written != self._written:
            self._written = written
            _ipython().update_display(self._static(), display_id=self._twin, raw=True)

    def _leave(self) -> None:
        # Once only: what was discarded is counted here.
        if self._last_rites.detach() is not None:
            the_pump().detach(self._sink)
            self._sink.close(self._subscription.discarded)

    def _rest(self) -> None:
        if self.status == "failed":
            self._leave()
        # While a cell runs, its end does it.
        if not NOTEBOOK.is_busy():
            self.refresh()

    def refresh_later(self) -> None:
        """Refresh when all that was published so far is worked off."""
        self._sink.rest_soon()
        the_pump().wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        run = "all runs" if self.run_id is None else f"run {self.run_id!r}"
        return f"<LiveTable of {run}: {self.status}, {self.total} events, {self.missing} missing>"

    def _ipython_display_(self) -> None:
        display = _ipython().display
        if not self._stopped:
            display({**self._live(), "text/plain": repr(self)}, raw=True)
            _displayed[self] = None
            _close_the_oldest()
        self._written = (self.total, self.missing, self.status)
        display(self._static(), display_id=self._twin, raw=True)
        self._sink.expect_page()
        the_pump().wake()

    def _repr_mimebundle_(self, **_which: object) -> dict[str, str]:
        # For those that render objects themselves; IPython calls _ipython_display_.
        return self._static()

    def _live(self) -> dict[str, Any]:
        if self._widget is None:
            self._widget = TableWidget(run=self.run_id or "", twin=self._twin, hear=self._hear)
        bundle = cast("Any", self._widget)._repr_mimebundle_()
        return cast("dict[str, Any]", bundle[0] if isinstance(bundle, tuple) else bundle)

    def _static(self) -> dict[str, str]:
        rows = self._sink.store.newest(_STATIC_ROWS)
        title = "all runs" if self.run_id is None else self.run_id
        facts: dict[str, Any] = {"status": self.status, "missing": self.missing, "total": self.total}
        return {
            "text/html": static_html(rows, title=title, css_class=self._twin, **facts),
            "text/plain": static_text(rows, title=title, **facts),
        }

    def _hear(self, content: object) -> None:
        self._sink.hear(content)
        the_pump().wake()


def _let_go(subscription: Subscription, sink: RowSink) -> None:
    # Garbage collection calls this, anywhere: it takes no lock that is not reentrant.
    subscription.close()
    the_pump().forget(sink)


def _ipython() -> Any:
    from IPython import display  # noqa: PLC0415 - only who shows something needs it

    return display


def _end_cell() -> None:
    for place, view in tuple(_made.items()):
        if NOTEBOOK.is_left_over(place):
            view.stop()
    through = not _displayed or the_pump().flush()
    for view in tuple(_displayed):
        view.refresh()
        if not through:
            view.refresh_later()


def _close_the_oldest() -> None:
    """Keep to the bound on views of cells without a name."""
    nameless = [view for view in _displayed if view.place is not None and not view.place.named]
    for view in nameless[:-_NAMELESS]:
        view.close()


def _run_id_of(run: object) -> str | None:
    if run is None:
        return None
    run_id: Any = run if isinstance(run, str) else getattr(run, "run_id", getattr(run, "id", run))
    error = run_id_error(run_id)
    if error is not None:
        raise error
    return run_id
