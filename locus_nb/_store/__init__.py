"""Events kept beyond the process: `store` is the handle, and `writer` the thread that fills the `storage` behind it.

The writer takes what its subscription has into a `backlog`, which sets the events of `stuck` runs aside; an `account`
says what each run had and what the store has of it, `failures` tell what went wrong, `stats` count what became of
events, an `alarm` wakes the thread, and `lifetime` brings writers through forks and to the end of the process.

The storage is rows of `sqlite` in an `sqlite_file`, or a `folder` of `jsonl` files where `mounts` says that SQLite's
log is not safe: each is a `growing_file` while it is written, and a `run_file` of checked `run_lines` for whoever
reads it, saved runs too.

`file_history` is asked what was kept, and answered by the `sqlite_reader` or the `jsonl_reader`; `past` says which
events are meant, in the forms that `asked` takes everywhere, and `adbc` reads them the fast way. `memory` is a bus and
its store as one source.
"""
