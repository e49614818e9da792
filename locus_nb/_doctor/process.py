"""What this process's bus, store, views and settings say of themselves."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from locus_nb._bus import get_event_bus
from locus_nb._doctor.finding import Finding
from locus_nb._payloads.format import counted
from locus_nb._payloads.redact import redaction
from locus_nb._store.store import stats_of
from locus_nb._sums.prices import default_prices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locus_nb._bus import EventBus
    from locus_nb._store.stats import StoreStats

_SECRETS = {
    "on": "hidden wherever events leave memory",
    "asks": "hidden wherever events leave memory; your own function is asked too",
    "off": "not hidden: redact=False",
}


def process_findings() -> Iterator[Finding]:
    """Say how the process's own bus does, what keeps its events, and what is set; changes nothing of it."""
    bus = get_event_bus()
    yield _bus(bus)
    yield _store(bus)
    mode = redaction()
    verdict = "note" if mode == "off" else "ok"
    cure = "configure(redact=True)" if mode == "off" else ""
    yield Finding("events", "secrets", _SECRETS[mode], verdict, cure)
    priced = (
        "set by configure(prices=...)" if default_prices() else "none: a cost that was not told is unknown"
    )
    yield Finding("events", "prices", priced)
    yield from _views()
    names = sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("locus_nb"))
    yield Finding("events", "threads", ", ".join(names) or "none now: each begins when it is needed")


def _bus(bus: EventBus) -> Finding:
    stats = bus.stats()
    parts = [
        f"{counted(stats['published_events_total'], 'event')} published",
        f"{counted(stats['history_runs'], 'run')} kept",
    ]
    dropped = stats["dropped_events_total"]
    refused = stats["global_subscribers_refused_total"]
    failed = stats["emit_failures_total"]
    losses = [
        (dropped, f"{dropped:,} dropped for slow readers"),
        (refused, f"{counted(refused, 'reader')} refused"),
        (failed, f"{counted(failed, 'emit')} failed"),
    ]
    lost = [words for number, words in losses if number]
    if stats["late_events_total"]:
        parts.append(f"{stats['late_events_total']:,} late")
    cures: list[str] = []
    if dropped:
        cures.append("bus.readers() says who is slow")
    if refused:
        cures.append("close() readers and views of all runs that are no longer needed")
    if failed:
        cures.append("look at what is emitted: it could not be made into an event")
    said = ", ".join([*parts, *(lost or ["none lost"])])
    return Finding("events", "bus", said, "note" if lost else "ok", "; ".join(cures))


def _store(bus: EventBus) -> Finding:
    store = bus.store
    if store is None:
        return Finding("events", "store", "none: events are kept in memory alone")
    where = f"{store.kind}, {store.path}"
    if store.closed:
        again = f'configure(store="{store.path}")'
        return Finding("events", "store", f"{where}: closed, keeps nothing any more", "note", again)
    stats = stats_of(store)
    said = f"{where}: {stats.written:,} written, {stats.pending:,} pending"
    if not (stats.dropped or stats.lost or stats.failed):
        return Finding("events", "store", f"{said}, none lost")
    return _lossy(said, stats)


def _lossy(said: str, stats: StoreStats) -> Finding:
    said += f", {stats.dropped:,} dropped, {stats.lost:,} lost, {counted(stats.failed, 'attempt')} failed"
    if stats.last_error:
        said += f"; last: {stats.last_error}"
    cure = "see that its file can be written, and that its disk has room; then look at store.stats()"
    return Finding("events", "store", said, "problem" if stats.dropped or stats.lost else "note", cure)


def _views() -> Iterator[Finding]:
    # Whoever has views has loaded this; where it cannot be loaded there are none.
    view: Any = sys.modules.get("locus_nb._views.view")
    views: list[Any] = [] if view is None else view.views_on_page()
    seen = sum(each.was_seen for each in views)
    failed = [each for each in views if getattr(each, "status", "") == "failed"]
    said = (
        f"{counted(len(views), 'live view')} put on a page, {seen:,} of them seen by one"
        if views
        else "none live"
    )
    if failed:
        said += f"; failed: {', '.join(map(repr, failed))}"
        yield Finding(
            "events", "views", said, "problem", "the log says why: logging.basicConfig(), run the cell again"
        )
    else:
        yield Finding("events", "views", said)
