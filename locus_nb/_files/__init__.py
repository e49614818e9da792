"""Runs in files: `files` is what users call.

`run_file` is one of them, `run_lines` each line of it, checked; `whole_file` has files be there as a whole or not at
all. `parquet` writes frames, `run_page` a run as an HTML page.
"""
