"""What a view of events knows on Python's side, and what it tells the page."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from locus_nb._views.page import PAGE_MAKES, PAGE_PAINTS
from locus_nb._views.row_store import RowStore
from locus_nb._views.rows import encode, row_of, row_without_payload, text_of
from locus_nb._views.tally import Tallies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from locus_nb._event import StreamEvent
    from locus_nb._history import RunRecord
    from locus_nb._subscription import Batch
    from locus_nb._views.page import Wish
    from locus_nb._views.rows import Row

Status = Literal["waiting", "live", "ended", "failed"]

_ROWS_PER_MESSAGE = 1000
# What is sent again, unasked, while no page has said anything.
_ROWS_UNASKED = 200
# Seconds between two such messages with nothing new in them, and seconds after which an idle kernel would
# have heard the hello, or the acknowledgement, of a page that is there.
_UNASKED_EVERY = 1.0
_HELLO_DUE = 3.0
_ACK_DUE = 10.0
# Seconds between two messages to a page while the view is not over: the page takes silence for a kernel that
# has died, or is blocked.
_SIGN_OF_LIFE_EVERY = 3.0
# Seconds after which a tick leaves the other events to the next one, for the sake of the other views; and
# seconds between two reports of a rest.
_LONG = 0.025
_REPORTS_EVERY = 2.0

_log = logging.getLogger(__name__)
# Without a handler of its own a logger's errors are printed, into whichever cell runs now.
_log.addHandler(logging.NullHandler())


class RowSink:
    """The sink of one view: a bounded row store, tallies of its runs, and one message to the page per tick.

    The page says hello when it is rendered and when it sees a gap, and gets the rows it lacks. Until the
    first word is heard the newest rows are sent at every change, because a busy kernel without subshells
    hears nothing. A page that says nothing within 3 s, or does not acknowledge within 10 s, is sent nothing
    more until it speaks; but silence counts only while the main shell is idle. A page that listens is sent
    something every 3 s until the view is over, so that it can tell a quiet run from a dead kernel.

    Args:
        send: Sends `(content, buffers)` to the page; may be called from any thread.
        run_id: The run that is shown; None for all.
        missed: Events that history had lost before the view began.
        records: What the bus knows of the runs that the view begins with.
        is_busy: Whether the kernel's main shell runs a cell now.
        at_rest: Called from the pump's thread when a run has ended, or the view failed, and all that was taken
            is worked off; at most once in 2 s.
        questions: Gives what the page is told of the questions that are open in the view, of all that can change.
        sleep_at_most: Called in a tick after which there will be more in that many seconds.
        clock: Monotonic seconds; for tests.
        wall_clock: Unix seconds; for tests.
    """

    def __init__(
        self,
        send: Callable[[dict[str, Any], list[bytes]], None],
        *,
        run_id: str | None,
        missed: int = 0,
        records: Iterable[RunRecord] = (),
        is_busy: Callable[[], bool] = lambda: False,
        at_rest: Callable[[], None] = lambda: None,
        questions: Callable[[], list[dict[str, Any]]] = list,
        sleep_at_most: Callable[[float], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = RowStore()
        self.tallies = Tallies()
        for record in records:
            self.tallies.note(record)
        # What Python asks of the page, and has not heard to be fulfilled.
        self.wishes: tuple[Wish, ...] = ()
        # Gone before the view began, dropped because it was too slow, given up when it was closed.
        self._missed = missed
        self._dropped = self._given_up = 0
        self._closed = False
        self._giving_up = threading.Lock()
        self.status: Status = "waiting" if run_id is not None else "live"
        self._send = send
        self._run_id = run_id
        self._is_busy = is_busy
        self._at_rest = at_rest
        self._questions = questions
        self._sleep_at_most = sleep_at_most
        self._rest_due = False
        self._rested_at = -_REPORTS_EVERY
        self._clock = clock
        self._wall_clock = wall_clock
        self._events: deque[StreamEvent] = deque()
        self._said: deque[dict[str, Any]] = deque()
        # Rows up to this seq were sent.
        self._sent = 0
        # What the page was told last of all that changes without a row.
        self._told: tuple[object, ...] = ()
        # Whether it is to be told everything, also if nothing is new. Cleared before that is looked at, so that
        # what another thread asks for meanwhile holds for the next message.
        self._tell_all = True
        self._greeted = False
        # Whether an event that has no proper row was reported.
        self._reported = False
        # Until when a page is left in peace to show the view first.
        self._undisturbed_until = -_REPORTS_EVERY
        # When the first rows, or sign of life, went out that no message of the page's has followed.
        self._owed_since: float | None = None
        self._sent_at = self._idle_since = clock()

    @property
    def unread(self) -> int:
        """Events taken and not yet made into rows."""
        return len(self._events)

    @property
    def missing(self) -> int:
        """Events that the view never had, and never will."""
        return self._missed + self._dropped + self._given_up

    @property
    def greeted(self) -> bool:
        """Whether a page has said hello."""
        return self._greeted

    def put(self, batch: Batch) -> None:
        """Take what the subscription had."""
        self._events.extend(batch.events)
        self._dropped += batch.dropped
        if self._closed:
            self._give_up()
        if batch.closed or any(record.closed for record in batch.runs):
            self._rest_due = True
        for record in batch.runs:
            self.tallies.note(record)
            if self._run_id is not None:
                self.status = "ended" if record.closed else "live"
        if batch.closed:
            self.status = "ended"
        elif self.status == "waiting" and batch.events:
            self.status = "live"

    def hear(self, content: object) -> None:
        """Take a message of the page's. Any thread."""
        if isinstance(content, dict):
            self._said.append(content)  # pyright: ignore[reportUnknownArgumentType] - checked in _listen

    def tick(self) -> bool:
        """Make rows, send what the page lacks; True if there is more to do without any event."""
        self._listen()
        self._make_rows()
        now = self._clock()
        if self._is_busy():
            self._idle_since = now
        more = self._send_what_is_due(now)
        due = max(self._rested_at + _REPORTS_EVERY, self._undisturbed_until)
        if self._rest_due and not self._events and now >= due:
            self._rest_due = False
            self._rested_at = now
            self._at_rest()
        return more or self._rest_due

    def _send_what_is_due(self, now: float) -> bool:
        if not self._greeted:
            return self._send_unasked(now)
        if self._is_silent(now):
            return False
        rows = self.store.after(self._sent, _ROWS_PER_MESSAGE)
        goes_on = self.status in ("waiting", "live")
        if rows or self._has_news():
            if self._tell_all:
                self._tell_all = False
                tallies = self.tallies.take_all()
            else:
                tallies = self.tallies.take_changed()
            self._tell(rows, tallies, prev=self._sent, now=now)
        elif goes_on and now - self._sent_at >= _SIGN_OF_LIFE_EVERY:
            self._tell([], [], prev=self._sent, now=now)
            self._owed_since = now if self._owed_since is None else self._owed_since
        if goes_on:
            self._sleep_at_most(max(self._sent_at + _SIGN_OF_LIFE_EVERY - now, 0.0))
        return self._sent < self.store.last_seq or bool(self._events)

    def expect_page(self) -> None:
        """Have the newest rows sent at the next tick, because a page may be there from now on. Any thread."""
        self._tell_all = True
        self._undisturbed_until = self._clock() + PAGE_MAKES

    def rest_soon(self) -> None:
        """Have `at_rest` called once all that is there is worked off, and a page had its time. Any thread."""
        self._rest_due = True

    def tell_again(self) -> None:
        """Have the page told at the next tick how all stands, also if that is nothing new. Any thread."""
        self._tell_all = True

    def close(self, discarded: int) -> None:
        """Take nothing any more: what is not worked off, and the `discarded`, is missing. Any thread."""
        self._closed = True
        with self._giving_up:
            self._given_up += discarded
        self._give_up()

    def fail(self) -> None:
        """Say that this view failed, where that can still be said. Never raises."""
        self.status = "failed"
        # What failed, and was reported, may be the sending, or what is called at rest.
        with suppress(Exception):
            self._tell([], self.tallies.take_changed(), prev=self._sent, now=self._clock())
        with suppress(Exception):
            self._at_rest()

    def _give_up(self) -> None:
        # Each event is taken by one thread: made into a row by the pump's, or given up by this one.
        with self._giving_up, suppress(IndexError):
            while True:
                self._events.popleft()
                self._given_up += 1

    def _make_rows(self) -> None:
        until = self._clock() + _LONG
        for _ in range(_ROWS_PER_MESSAGE):
            try:
                event = self._events.popleft()
            except IndexError:
                return
            row = self._row_of(event)
            self.store.add(row, event)
            self.tallies.add(row)
            if self._clock() > until:
                return

    def _row_of(self, event: StreamEvent) -> Row:
        try:
            return row_of(event)
        except BaseException as error:  # noqa: BLE001 - an edge: user code in a payload; the row says so
            if not self._reported:
                self._reported = True
                _log.exception(
                    "locus_nb cannot show the payload of an event; its row says so, as later ones do"
                )
            return row_without_payload(event, error)

    def _listen(self) -> None:
        back_to: int | None = None
        while self._said:
            content = self._said.popleft()
            kind, seq = content.get("kind"), content.get("last_seq")
            if kind not in ("hello", "ack") or not isinstance(seq, int) or isinstance(seq, bool):
                continue
            self._owed_since = None
            # The first hello in a kernel waits for the blocked cell: JupyterLab has not made its subshell by
            # then. The acknowledgement after it does not, and says as much.
            if kind == "hello" or not self._greeted:
                self._greeted = True
                self._undisturbed_until = self._clock() + PAGE_PAINTS
                back_to = seq if back_to is None else min(back_to, seq)
        if back_to is not None:
            self._sent = min(max(back_to, 0), self.store.last_seq)
            self._tell_all = True

    def _is_silent(self, now: float) -> bool:
        return self._owed_since is not None and now - max(self._owed_since, self._idle_since) > _ACK_DUE

    def _send_unasked(self, now: float) -> bool:
        if now - self._idle_since > _HELLO_DUE:
            return bool(self._events)
        if self._has_news() or now - self._sent_at >= _UNASKED_EVERY:
            self._tell_all = False
            # As many as one tick makes, or a quick run would leave holes that nobody can ask to have filled.
            count = max(_ROWS_UNASKED, self.store.count_after(self._sent))
            rows, prev = self.store.newest(count), self.store.before_newest(count)
            self._tell(rows, self.tallies.take_all(), prev=prev, now=now)
        return True

    def _has_news(self) -> bool:
        return self._tell_all or self.tallies.changed or self._told != self._state()

    def _state(self) -> tuple[int, int, Status, tuple[Wish, ...], list[dict[str, Any]]]:
        return self.store.total, self.missing, self.status, self.wishes, self._questions()

    def _tell(self, rows: list[Row], tallies: list[tuple[Any, ...]], *, prev: int, now: float) -> None:
        # Looked at once, for other threads change it: what counts as told is what is sent.
        self._told = total, missing, status, wishes, questions = self._state()
        content = {
            "kind": "rows",
            # In milliseconds, as the times of rows are: the page has no other way to tell the kernel's time.
            "now": self._wall_clock() * 1_000,
            "prev": prev,
            "last": self.store.last_seq,
            "count": len(rows),
            "missing": missing,
            "status": status,
            "total": total,
            "run": None if self._run_id is None else text_of(self._run_id),
            "wishes": [wish._asdict() for wish in wishes],
            "questions": questions,
        }
        self._sent_at = now
        if rows:
            self._sent = rows[-1].seq
            if self._owed_since is None:
                self._owed_since = now
        self._send(content, [encode(rows), encode(tallies)])
