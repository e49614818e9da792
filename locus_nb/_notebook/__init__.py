"""What a notebook user types: `%load_ext locus_nb`, `%%locus`, `%locus`.

    cell's text -> cell_source (a marker takes the magic's line) -> cell_tree (a `with` takes the marker) -> cell_run

`magics` ties that to a shell; `options` is how lines are read, `completion` how they are completed, and `stats_table`
what `%locus stats` shows. Only a shell that loads the extension loads any of this, so it may use IPython.
"""
