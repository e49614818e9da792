"""Every error of its own that the package raises.

```
LocusError
├── StoreError (also a RuntimeError)              a store cannot be used, or what is there is none
├── SubscriptionBusyError (also a RuntimeError)   two consumers read one subscription at once
└── ViewRefusedError (also a RuntimeError)        a view of all runs found the bus's cap reached
```

A bad argument is a plain `TypeError` or `ValueError`.
"""

from __future__ import annotations


class LocusError(Exception):
    """Root of the package's own errors: `except LocusError` catches them all and nothing else."""


class StoreError(LocusError, RuntimeError):
    """A store cannot be used: what its path leads to is foreign, damaged or of another version.

    What was found there was not changed.
    """


class SubscriptionBusyError(LocusError, RuntimeError):
    """A second consumer asked for events while the first was still waiting for them.

    Each consumer needs a subscription of its own; one subscription hands every event out once.
    """


class ViewRefusedError(LocusError, RuntimeError):
    """A view of all runs could not be made: the bus has as many global readers as it may have."""
