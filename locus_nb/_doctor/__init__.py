"""What is installed, what shows where, and why nothing shows: `doctor()`, and `python -m locus_nb doctor`.

Each part of a report is a `finding`. Of the environment: `packages` (with `requirement`, what they must be), `host`,
`lab` (what JupyterLab finds there), `variables`. Of the process: `process`, and an event sent through it by
`event_probe`. Of the page: what it answers to the `page_probe`, told by `page_findings`. `diagnosis` is all of that,
with the `conclusion` first, `report` how it reads, and `command` the command line.
"""
