"""Live views: the `pump` carries what the bus has to a `row_sink`, which tells the page.

Events become `rows`, of large ones the `head`, of which the `row_store` keeps the newest; a `tally` is a run in
numbers. `view` is what every view is, `watch` has those of runs, `dashboard` all in one box, and `monitor` that of the
bus, by its `samples` and the `monitor_sink`. `page` is what the page says, a `panel` has its questions to the user,
`notebook` knows of cells, `late` opens widgets when they are shown, and `boxes` finds what is in them.

What stays in a saved notebook is the `picture`, with a `waterfall` and a `static_table` of calls that `fold` makes, and
the `static_monitor`.
"""
