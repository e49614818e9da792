"""Reading a folder of JSONL files, one or more per run, as it is now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from locus_nb._event import restored
from locus_nb._history import RunRecord
from locus_nb._store.jsonl import ENDING, header_of, lines_of
from locus_nb._store.past import Wanted
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from locus_nb._event import StreamEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIELDS = frozenset(RunRecord._fields)


class JsonlSnapshot:
    """The folder's answers; a `Snapshot`. Each run is read at one moment."""

    def __init__(self, folder: Path) -> None:
        files = sorted((path.stat().st_mtime_ns, path) for path in folder.glob(f"*{ENDING}"))
        self._paths: dict[str, list[Path]] = {}
        self._read: dict[str, tuple[RunRecord, list[StreamEvent]]] = {}
        for _, path in files:
            if (header := header_of(path)) is not None:
                run_id = header["run_id"]
                # The one last used last.
                self._paths[run_id] = [*self._paths.pop(run_id, ()), path]

    def run_ids(self) -> tuple[str, ...]:
        """All runs, least recently used first."""
        return tuple(self._paths)

    def records(self) -> list[RunRecord]:
        """All runs, least recently used first."""
        return [self._run(run_id)[0] for run_id in self._paths]

    def run_record(self, run_id: str) -> RunRecord | None:
        """What is known of the run; None for an unknown one."""
        run_id = jsonable(run_id)
        return self._run(run_id)[0] if run_id in self._paths else None

    def history(self, run_id: str) -> tuple[StreamEvent, ...]:
        """Events of the run, in the order of its files."""
        run_id = jsonable(run_id)
        return tuple(self._run(run_id)[1]) if run_id in self._paths else ()

    def events_of(self, run_ids: Sequence[str]) -> list[StreamEvent]:
        """Give all events of some runs, in the order of the store."""
        return self.events(Wanted(run_ids))

    def events(self, wanted: Wanted) -> list[StreamEvent]:
        """Give events run by run, with the `seq` they had on their bus."""
        asked = None if wanted.run_ids is None else set(map(jsonable, wanted.run_ids))
        return [
            event
            for run_id in self._paths
            if asked is None or run_id in asked
            for event in self._run(run_id)[1]
            if wanted.fits(event.event_type, event.timestamp_ns // 1000)
        ]

    def _run(self, run_id: str) -> tuple[RunRecord, list[StreamEvent]]:
        if run_id not in self._read:
            fields: dict[str, Any] = {}
            events: list[StreamEvent] = []
            missed = dropped = 0
            for line in self._lines(run_id):
                if line.get("kind") == "run" and isinstance(line.get("record"), dict):
                    fields = _continued(fields, line["record"])
                    lacks = line.get("lacks", (0, 0))
                    missed, dropped = missed + lacks[0], dropped + lacks[1]
                elif line.get("run_id") == run_id and (event := _event(run_id, line)) is not None:
                    events.append(event)
            fields["dropped"] = max(0, dropped)
            fields["trimmed"] = missed + fields["dropped"]
            fields["total"] = len(events) + fields["trimmed"]
            self._read[run_id] = (RunRecord(**fields), events)
        return self._read[run_id]

    def _lines(self, run_id: str) -> Iterator[dict[str, Any]]:
        for path in self._paths[run_id]:
            yield from lines_of(path)


def _continued(before: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """Give the later record, with what only the earlier one knows."""
    fields = _NOTHING | {key: value for key, value in record.items() if key in _FIELDS}
    for key in ("name", "tags", "cell_id", "execution_count"):
        fields[key] = fields[key] or before.get(key, fields[key])
    fields["started_at_ns"] = min(
        fields["started_at_ns"], before.get("started_at_ns", fields["started_at_ns"])
    )
    return fields


def _event(run_id: str, line: dict[str, Any]) -> StreamEvent | None:
    """Give the event of a line; None if it is none."""
    try:
        since = datetime.fromisoformat(line["timestamp"]) - _EPOCH
        data = line["data"]
        return restored(
            run_id,
            event_type=str(line["event_type"]),
            data=cast("dict[str, Any]", data) if isinstance(data, dict) else {"unreadable": data},
            time_us=since // _MICROSECOND,
            event_id=str(line["event_id"]),
            seq=int(line["seq"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


_NOTHING: dict[str, Any] = RunRecord("", None, {}, "running", 0, None, None, None, False, 0, 0)._asdict()  # noqa: FBT003 - a record
