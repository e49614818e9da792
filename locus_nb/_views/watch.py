"""The live views of a run, and of all runs."""

from __future__ import annotations

import json
import logging
import sys
import threading
import weakref
from itertools import chain
from typing import TYPE_CHECKING, Any

import traitlets

from locus_nb._bus import get_event_bus
from locus_nb._errors import ViewRefusedError
from locus_nb._event import run_id_error
from locus_nb._payloads.format import counted
from locus_nb._source import is_source
from locus_nb._store.memory import bus_of
from locus_nb._views.notebook import NOTEBOOK
from locus_nb._views.page import MAX_TEXT, TABS, PageState, Wish, page_state
from locus_nb._views.panel import Panel
from locus_nb._views.picture import About, picture_html, picture_text
from locus_nb._views.pump import the_pump
from locus_nb._views.row_sink import RowSink
from locus_nb._views.rows import text_of
from locus_nb._views.view import View, take_place
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from locus_nb._bus import EventBus
    from locus_nb._subscription import Subscription

# More than any history holds: a view of all runs begins with everything that is kept.
_ALL_KEPT = sys.maxsize

# What a picture is made of at the most: folded, that is about what it has room for.
_ROWS_IN_PICTURE = 1_500

_log = logging.getLogger(__name__)
# Without a handler of its own a logger's errors are printed, into whichever cell runs now.
_log.addHandler(logging.NullHandler())


def watch(run: object = None, *, bus: EventBus | None = None, tab: str = "table") -> RunView | RunsView:
    """Watch a run live, or all runs.

    Begins with the run's history, goes on while the run does, and follows it when it is opened again. The
    view works while its cell is blocked. Nothing is shown until the view is displayed: let it be the last
    expression of a cell, pass it to `display`, or put it into a box of `ipywidgets`. A cell that is run again
    replaces the views it made before, also those that it no longer makes. A view that was on no page ends with
    its last reference.

    Where the front end does not name its cells (nbclient, a terminal), a view is replaced if a page has shown it
    and a cell of the same text runs; otherwise it stays, as one of the newest 20.

    Args:
        run: A run id, or an object with a `run_id` (or `id`); never a name. It need not exist yet. None:
            all runs.
        bus: The bus to watch. None: the one that `run` is of, if that is a `Run`; else the process's own. A `Run` of
            the store of the process's bus is watched on that bus.
        tab: What it shows at first: `table`, `timeline` or `tree`. The user may open another one.

    Raises:
        TypeError, ValueError: `run` cannot name a run, or there is no such tab.
        ValueError: `run` is a `Run` of a file, or of another store, and no bus is named: nothing of it can come
            anew. The `Run` itself shows it.
        ViewRefusedError: The bus has as many global readers as it may have.

    Example:
        >>> from locus_nb import emit_sync, run_context, watch
        >>> view = watch("run-1")
        >>> with run_context("run-1"):
        ...     emit_sync("agent.think", iteration=1)
        >>> view.close()
    """
    run_id = _run_id_of(run)
    if tab not in TABS:
        raise ValueError(f"watch() knows no tab {tab!r}: open one of {', '.join(TABS)}")
    bus = bus or bus_to_watch(run, "watch()")
    return RunsView(bus, tab=tab) if run_id is None else RunView(run_id, bus, tab=tab)


def bus_to_watch(run: object, caller: str) -> EventBus:
    """Give the bus that `run` is of, if it says so, else the process's own.

    Raises:
        ValueError: It is of something that is no bus, nor the store of the process's bus.
    """
    source = getattr(run, "source", None)
    if not is_source(source):
        return get_event_bus()
    bus = bus_of(source)
    if bus is None:
        raise ValueError(
            f"{caller} follows a bus, and a run that is read from {type(source).__name__} cannot be watched: display "
            "the Run itself, which shows it, or name a bus, on which a run of that id is waited for"
        )
    return bus


class RowsView(View):
    """A view of events: what `RunView` and `RunsView` have in common.

    What the user does in it (filters, selects, pauses) happens in the page and needs no kernel; Python is told,
    and may ask the page for the same: what Python asked for last and the user did not change holds also for a page
    that is loaded anew. None of that touches the run, or what the view takes in.
    """

    tab = traitlets.Unicode().tag(sync=True)

    def __init__(self, run_id: str | None, bus: EventBus, *, tab: str = "table") -> None:
        self.run_id = run_id
        place = take_place()
        subscription = (
            bus.subscribe_global(replay=_ALL_KEPT, label="watch()")
            if run_id is None
            else bus.subscribe(
                run_id, follow=True, label=f"watch({json.dumps(text_of(run_id), ensure_ascii=False)})"
            )
        )
        if subscription.refused:
            raise ViewRefusedError(
                "watch() found as many readers of all runs as the bus may have: close() views that are "
                "no longer needed, or watch one run"
            )
        self._bus = bus
        self._subscription = subscription
        self._panel = self._make_panel(bus)
        self._sink = self._make_sink(bus)
        self._said = PageState()
        self._asking = threading.Lock()
        self._asked = 0
        self._listeners: dict[object, Callable[[Any], None]] = {}
        self._reported: set[object] = set()
        kind = "runs" if run_id is None else "run"
        super().__init__(view=kind, run=text_of(run_id or ""), sink=self._sink, place=place, tab=tab)
        the_pump().attach(subscription, self._sink)
        self._last_rites = weakref.finalize(self, _let_go, subscription, self._sink)
        self._last_rites.atexit = False

    def _make_panel(self, bus: EventBus) -> Panel:
        me = weakref.ref(self)

        def is_on_page() -> bool:
            view = me()
            return view is not None and view.is_on_page

        def was_seen() -> bool:
            view = me()
            return view is not None and view.was_seen

        return Panel(bus, self.run_id, is_on_page=is_on_page, was_seen=was_seen)

    def _make_sink(self, bus: EventBus) -> RowSink:
        send, rest = self._calls()
        # The subscription tells of runs that are opened or closed from now on.
        records = map(bus.run_record, bus.run_ids()) if self.run_id is None else ()
        return RowSink(
            send,
            run_id=self.run_id,
            missed=self._subscription.missed,
            records=filter(None, records),
            is_busy=NOTEBOOK.is_busy,
            at_rest=rest,
            questions=self._panel.told,
            sleep_at_most=lambda seconds: the_pump().sleep_at_most(seconds),
        )

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
    def selected_df(self) -> pd.DataFrame:
        """The events that are selected in the page, as `events_df` gives them.

        The view keeps the newest 10,000 events, of large payloads fewer: of those that are too large to be looked
        at as a whole, about 250. Older ones are taken from the bus's history, as far as that holds them.
        """
        from locus_nb._frames.frames import events_df  # noqa: PLC0415 - only who wants a frame needs pandas

        seqs = self._said.selected
        events = {event.seq: event for event in self._sink.store.events(seqs)}
        if missing := set(seqs).difference(events):
            runs = self._bus.run_ids() if self.run_id is None else (self.run_id,)
            kept = chain.from_iterable(map(self._bus.history, runs))
            events |= {event.seq: event for event in kept if event.seq in missing}
        return events_df([events[seq] for seq in sorted(set(seqs).intersection(events))])

    @property
    def filter(self) -> str:
        """The page's filter, as it was last heard of, or asked for here.

        Setting it asks the page, which does so as soon as it can, and again when it is loaded anew; it does not
        wait. What somebody types there replaces it.

        Raises:
            TypeError: It is set to something that is no str.
            ValueError: It is set to a text of more than 10,000 characters.
        """
        return self._said.filter

    @filter.setter  # noqa: A003 - this one is meant
    def filter(self, text: str) -> None:
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users need not check types
            raise TypeError(
                f"A view's filter is a str, not {type(text).__name__}: set one such as 'status:error'"
            )
        if len(text) > MAX_TEXT:
            raise ValueError(
                f"A view's filter has at most {MAX_TEXT:,} characters, not {len(text):,}: set less"
            )
        self._ask(filter=jsonable(text))

    @property
    def paused(self) -> bool:
        """Whether the rows in the page stand still, as it was last heard of, or asked for here."""
        return self._said.paused

    def pause(self) -> None:
        """Ask the page to let its rows, chips and lanes stand still. Does not wait.

        The run goes on, and so do the counts over the rows and the list of runs; the page says how much is new.
        """
        self._ask(paused=True)

    def resume(self) -> None:
        """Ask the page to go on, with all that came meanwhile. Does not wait."""
        self._ask(paused=False)

    def on_selection(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        """Have `callback(view)` called when other rows are selected in the page; gives what ends that.

        It is called in whatever thread the kernel handles the page's messages: the main one between cells,
        another one while a cell is blocked, where the front end has subshells. What it raises is logged, the
        first time, and stops nothing else.

        Example:
            >>> from locus_nb import watch
            >>> view = watch("run-1")
            >>> end = view.on_selection(lambda view: print(len(view.selected_df)))
            >>> end()
            >>> view.close()
        """
        key = object()
        self._listeners[key] = callback

        def end() -> None:
            self._listeners.pop(key, None)

        return end

    def __repr__(self) -> str:
        run = "all runs" if self.run_id is None else f"run {text_of(self.run_id)!r}"
        return f"<{type(self).__name__} of {run}>"

    def __str__(self) -> str:
        return f"{repr(self)[:-1]}: {self.status}, {counted(self.total, 'event')}, {self.missing:,} missing>"

    def _ask(self, **changes: Any) -> None:
        with self._asking:
            self._said = self._said._replace(**changes)
            self._asked += 1
            # Of two wishes for the same the page needs the later one alone.
            others = (wish for wish in self._sink.wishes if not changes.keys() & wish.asked.keys())
            self._sink.wishes = (*others, Wish(self._asked, **changes))
        the_pump().wake()

    def _hear(self, content: object) -> None:
        said = page_state(content)
        if said is None:
            if self._panel.hear(content):
                self._sink.tell_again()
            super()._hear(content)
            return
        with self._asking:
            # A wish that the user has not undone is kept for a page that is made later.
            self._sink.wishes = tuple(
                wish for wish in self._sink.wishes if wish.n > said.wish or wish.holds_in(said)
            )
            before, self._said = self._said, said.with_granted(self._sink.wishes)
        if said.selected != before.selected:
            self._tell_listeners()

    def _tell_listeners(self) -> None:
        for key, callback in tuple(self._listeners.items()):
            try:
                callback(self)
            except Exception:  # noqa: BLE001 - an edge: user code, which must not stop the page's messages
                if key not in self._reported:
                    self._reported.add(key)
                    _log.exception("locus_nb called a view's on_selection callback, which failed")

    def _leave(self) -> None:
        # Once only: what was discarded is counted here.
        if self._last_rites.detach() is not None:
            the_pump().detach(self._sink)
            self._sink.close(self._subscription.discarded)

    def _rest(self) -> None:
        if self.status == "failed":
            self._leave()
        super()._rest()

    def _news(self) -> tuple[object, ...]:
        return self.total, self.missing, self.status, self._sink.tallies.noted

    def _picture(self, css_class: str) -> dict[str, str]:
        rows = self._sink.store.newest(_ROWS_IN_PICTURE)
        about = self._about()
        return {
            "text/html": picture_html(rows, about, css_class=css_class),
            "text/plain": picture_text(rows, about),
        }

    def _about(self) -> About:
        # A view of one run has one tally, if it has seen anything of it.
        return About(
            title="all runs" if self.run_id is None else text_of(self.run_id),
            status=self.status,
            missing=self.missing,
            total=self.total,
            tallies=self._sink.tallies.newest(),
            one_run=self.run_id is not None,
        )


class RunView(RowsView):
    """The live view of one run; made by `watch`."""

    def __init__(self, run_id: str, bus: EventBus, *, tab: str = "table") -> None:
        super().__init__(run_id, bus, tab=tab)


class RunsView(RowsView):
    """The live view of all runs; made by `watch`."""

    def __init__(self, bus: EventBus, *, tab: str = "table") -> None:
        super().__init__(None, bus, tab=tab)


def _let_go(subscription: Subscription, sink: RowSink) -> None:
    # Garbage collection calls this, anywhere: it takes no lock that is not reentrant.
    subscription.close()
    the_pump().forget(sink)


def _run_id_of(run: object) -> str | None:
    if run is None:
        return None
    run_id: Any = run if isinstance(run, str) else getattr(run, "run_id", getattr(run, "id", run))
    error = run_id_error(run_id)
    if error is not None:
        raise error
    return run_id
