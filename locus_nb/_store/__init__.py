"""Events kept beyond the process: `store` is the handle, and `writer` the thread that fills the `storage` behind it.

That is an `sqlite` file, or a folder of `jsonl` files where `mounts` says that SQLite's log is not safe.
`file_history` is asked what was kept, and answered by the `sqlite_reader` or the `jsonl_reader`; `past` says which
events are meant, `adbc` reads them the fast way. `memory` is a bus and its store as one source. `stats` counts what
became of events, and `lifetime` brings writers through forks and to the end of the process.
"""
