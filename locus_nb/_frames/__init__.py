"""DataFrames of events: `frames` is what users call, and `tables` declares the columns.

`selection` says which events are meant. `event_columns`, `span_columns` and `run_columns` make each frame's columns,
out of those that `columns` fills; `spans` are the calls, with what is read of their payloads. What events come to is
said in `_sums`.
"""
