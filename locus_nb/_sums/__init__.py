"""What events come to, for frames and for runs alike; the standard library only.

`calls` says which events are one call, `usage` what a call used, `prices` and `cost` what that costs, `gaps` why that
is unknown, and `sums` puts it together for one run.
"""
