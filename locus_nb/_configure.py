"""What holds for the whole process: where its events are kept, and what is hidden of them."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from locus_nb._bus import get_event_bus
from locus_nb._callable import is_async
from locus_nb._payloads.redact import set_redactor
from locus_nb._store.store import Store, checked_kind, checked_limits, opened
from locus_nb._sums.prices import set_default_prices

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import EllipsisType

    from locus_nb._store.store import Kind

_process_lock = threading.Lock()


def configure(
    *,
    store: str | os.PathLike[str] | Literal[False] | EllipsisType | None = ...,
    kind: Kind | None = None,
    keep_runs: int | None = None,
    keep_days: float | None = None,
    keep_mb: float | None = None,
    redact: Callable[[str, Any], Any] | bool | EllipsisType = ...,
    prices: object = ...,
) -> Store | None:
    r"""Say for the whole process where its bus's events are kept, what is hidden of them, and what tokens cost.

    What is left out stays as it is. Called again with the same, as in a cell that is run again, it changes nothing.

    A store keeps what happens on the process's bus in a file, from now on and from what its history holds. With
    another path, the old store is closed, unless the new one is refused. After `reset_event_bus`, and in a forked
    child, call it again.

    Secrets are hidden, unless told otherwise, in views, saved pages, frames, stores and files, of payloads, event
    types, the names, tags and cells of runs, and the labels of readers in `monitor`: by the name of a key (`api_key`,
    `Authorization`, `password`; not `input_tokens`) and by their shape in any text (keys and tokens of well-known
    services, `Bearer ...`, private keys, passwords in URLs). Ids of runs are shown as they are: put no secret in
    one. A mark stands for each, and says why: `[redacted: api_key]`, `[redacted: OpenAI key]`. How to go on with
    that is a setting of the process: `reset_event_bus` leaves it alone, a forked child has it too, and it holds for
    what is shown or written from then on, also by views that are there. What a view or a store has already stays as
    it is.

    Args:
        store: See `Store`. None or False: keep nothing any more; all is written first.
        kind: See `Store`.
        keep_runs: See `Store`.
        keep_days: See `Store`.
        keep_mb: See `Store`.
        redact: False: hide nothing, anywhere. True: hide secrets, as at the beginning. A function: hide secrets,
            and have `redact(key, value)` say what stands for each value that is left.

            It is asked about everything under a key of a payload, at any depth: about a dict or list first, and about
            its members where it returns that very object; members of a list come with the list's key. Then about
            the name of a run (`name`), its tags (each with its own key) and its cell (`cell_id`). What else it
            returns is taken as it is, made into JSON. It sees copies, from any thread and more than once: of
            what was stored, again when that is shown. In a view, a text may be cut. It is not asked about keys,
            event types, ids of runs, or what is hidden already. Where it raises, the whole value is hidden, which
            its mark says, and the first failure is logged (`locus_nb`), without its message. Asked about every
            value, it costs far more than what it comes after.
        prices: What tokens cost whose cost was not told, wherever no other `prices=` are given: in frames, in a
            `Run`, in lists of runs, in `diff`. `"genai-prices"` or a table, as `runs_df` takes them; None or False:
            nothing is estimated, as at the beginning.

    Returns:
        The bus's store, which may be closed, or asked for its `stats()`; None without one.

    Raises:
        StoreError, FileNotFoundError, ValueError: As `Store` does; `redact` and `prices` then hold already.
        TypeError: As `Store` does; `redact` is neither a plain function nor a bool, `prices` no prices; nothing
            was given, or only what belongs to a store.
        ModuleNotFoundError: genai-prices is not installed.

    Example:
        >>> import re
        >>> from locus_nb import configure
        >>> configure(store="runs.db", keep_runs=1000)  # doctest: +SKIP
        <Store '.../runs.db'>
        >>> def hide_mail(key, value):
        ...     return re.sub(r"[\w.]+@[\w.]+", "[mail]", value) if isinstance(value, str) else value
        >>> configure(redact=hide_mail)
        >>> configure(redact=True)
    """
    if redact is not ... and not isinstance(redact, bool) and not callable(redact):
        raise TypeError(
            f"redact is a function of a key and a value, or False or True, not {type(redact).__name__}"
        )
    if callable(redact) and is_async(redact):
        raise TypeError(
            "redact is asked where nothing can be awaited: pass a plain function, not an `async def`"
        )
    if store is ...:
        if (kind, keep_runs, keep_days, keep_mb) != (None,) * 4:
            raise TypeError("configure was told how to store, but not where: pass store=... too")
        if redact is ... and prices is ...:
            raise TypeError("configure was given nothing: pass store=..., redact=... or prices=...")
    with _process_lock:
        if prices is not ...:
            set_default_prices(prices)
        # First, so that a store begins with it.
        if redact is not ...:
            set_redactor(redact)
        if store is ...:
            return _open_store()
        return _stored(store, kind, keep_runs, keep_days, keep_mb)


def _open_store() -> Store | None:
    now = get_event_bus().store
    return now if now is not None and not now.closed else None


def _stored(
    path: str | os.PathLike[str] | Literal[False] | None,
    kind: Kind | None,
    keep_runs: int | None,
    keep_days: float | None,
    keep_mb: float | None,
) -> Store | None:
    bus = get_event_bus()
    now = _open_store()
    if path is None or path is False:
        if now is not None:
            now.close()
        bus.store = None
        return None
    limits = checked_limits(keep_runs, keep_days, keep_mb)
    if now is not None:
        same_kind = checked_kind(kind) in {None, now.kind}
        where = Path(path).absolute()
        if now.path == where and same_kind and now.limits == limits:
            return now
        # What cannot be had must not cost what there is.
        opened(where, kind)[1].close()
        now.close()
    return Store(path, bus=bus, kind=kind, keep_runs=keep_runs, keep_days=keep_days, keep_mb=keep_mb)


def _begin_in_child() -> None:
    global _process_lock  # noqa: PLW0603 - whoever holds it is not here
    _process_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
