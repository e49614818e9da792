"""Runs in files: `files` is what users call.

`whole_file` has files be there as a whole or not at all; what their lines may be is said in `_store`, which writes
such files too. `parquet` writes frames, `run_page` a run as an HTML page.
"""
