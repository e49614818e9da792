"""What keeps a bus monitor's page up to date."""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from locus_nb._payloads.redact import redact_name
from locus_nb._views.page import PAGE_MAKES, PAGE_PAINTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from locus_nb._readers import ReaderStats
    from locus_nb._subscription import Batch
    from locus_nb._views.samples import Samples

# Seconds from sample to sample; and between two messages to a page that was not heard yet.
_EVERY = 0.25
_UNASKED_EVERY = 1.0
# Seconds after which an idle kernel would have heard the hello, or the acknowledgement, of a page that is there.
_HELLO_DUE = 3.0
_ACK_DUE = 10.0
# Characters of a label or a run id that are told.
_MAX_TEXT = 200
# Of a label, those in which secrets are looked for.
_LOOKED_AT = 1000


class MonitorSink:
    """Samples the bus on the pump's thread while a page listens, and sends what that page lacks.

    A page that says nothing within 3 s of being expected, or does not acknowledge within 10 s, gets nothing
    more until it speaks, and nothing is sampled; but silence counts only while the main shell is idle.

    Args:
        send: Sends `(content, buffers)` to the page; may be called from any thread.
        samples: Where the figures come from.
        is_busy: Whether the kernel's main shell runs a cell now.
        at_rest: Called from the pump's thread when it was asked for, or the monitor failed.
        clock: Monotonic seconds; for tests.
    """

    def __init__(
        self,
        send: Callable[[dict[str, Any], list[bytes]], None],
        samples: Samples,
        *,
        is_busy: Callable[[], bool] = lambda: False,
        at_rest: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._samples = samples
        self._is_busy = is_busy
        self._at_rest = at_rest
        self._clock = clock
        self._said: deque[object] = deque()
        self._expected = self._rest_due = False
        self.greeted = self.failed = False
        # Until when a page may be silent, if the main shell is idle; None while none is there.
        self._due: float | None = None
        self._sampled_at = self._sent_at = float("-inf")
        # Until when a page is left in peace to show the monitor first.
        self._undisturbed_until = float("-inf")
        # Samples up to this time were sent.
        self._sent_ms = float("-inf")

    @property
    def unread(self) -> int:
        """Nothing: it takes no events."""
        return 0

    def put(self, batch: Batch) -> None:
        """Take nothing: it has no subscription."""

    def hear(self, content: object) -> None:
        """Take a message of the page's. Any thread."""
        self._said.append(content)

    def expect_page(self) -> None:
        """Have samples taken and sent, because a page may be there from now on. Any thread."""
        self._expected = True

    def rest_soon(self) -> None:
        """Have `at_rest` called at the next tick, or when a page had its time. Any thread."""
        self._rest_due = True

    def tick(self) -> bool:
        """Sample and send what is due; True while a page listens."""
        now = self._clock()
        self._listen(now)
        if self._rest_due and now >= self._undisturbed_until:
            self._rest_due = False
            self._at_rest()
        if self._due is not None and self._is_busy():
            # A kernel that is blocked may hear nobody; once it is idle it has this long.
            self._due = max(self._due, now + (_ACK_DUE if self.greeted else _HELLO_DUE))
        if self._due is None or now > self._due:
            self._due = None
            return self._rest_due
        if now - self._sampled_at >= _EVERY:
            self._sampled_at = now
            self._samples.look()
            if self.greeted or now - self._sent_at >= _UNASKED_EVERY:
                self._tell(now)
        return True

    def fail(self) -> None:
        """Say that this monitor failed. Never raises."""
        self.failed = True
        # What failed, and was reported, may be just this.
        with suppress(Exception):
            self._at_rest()

    def _listen(self, now: float) -> None:
        if self._expected:
            self._expected = False
            self._sent_ms = float("-inf")
            self._due = max(self._due or now, now + _HELLO_DUE)
            self._undisturbed_until = now + PAGE_MAKES
        while self._said:
            content = self._said.popleft()
            kind = cast("dict[Any, Any]", content).get("kind") if isinstance(content, dict) else None
            if kind not in ("hello", "ack"):
                continue
            # The first hello in a kernel may wait for a blocked cell; the acknowledgement after it says as much.
            if kind == "hello" or not self.greeted:
                self._sent_ms = self._sampled_at = float("-inf")
                self._undisturbed_until = now + PAGE_PAINTS
            self.greeted = True
            self._due = now + _ACK_DUE

    def _tell(self, now: float) -> None:
        samples, readers, facts = self._samples.picture
        content = {
            "kind": "stats",
            "samples": [list(sample) for sample in samples if sample.at_ms > self._sent_ms],
            "readers": [_told(reader) for reader in readers],
            "facts": facts,
        }
        self._sent_at = now
        if self.greeted:
            self._sent_ms = samples[-1].at_ms
        self._send(content, [])


def _told(reader: ReaderStats) -> list[Any]:
    return [
        reader.number,
        _text(redact_name(reader.label[:_LOOKED_AT])),
        None if reader.run_id is None else _text(reader.run_id),
        reader.backlog,
        reader.capacity,
        reader.overflow,
        reader.peak_backlog,
        reader.offered,
        reader.delivered,
        reader.dropped,
    ]


def _text(text: str) -> str:
    # A lone surrogate cannot be sent.
    return text[:_MAX_TEXT].encode("utf-8", "replace").decode("utf-8")
