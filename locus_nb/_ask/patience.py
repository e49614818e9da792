"""How long a page is waited for that may be there, before the user is asked elsewhere."""

from __future__ import annotations

import threading

# A page may have yet to load its script. Where that was too short it is not waited for as long again.
USUAL_S = 5.0
SHORT_S = 1.0
# Where a front end has made a subshell it is heard sooner or later, and an `input()` that JupyterLab shows in vain
# keeps it from running other cells until somebody submits it.
LONG_S = 20.0


class Patience:
    """How long to wait for a page to say that it shows a question; it learns of how that went before."""

    def __init__(self) -> None:
        self._usual = USUAL_S

    @property
    def seconds(self) -> float:
        """So long."""
        # So ipykernel calls the threads in which it hears a page also while a cell is blocked.
        hears = any(thread.name.startswith("subshell-") for thread in threading.enumerate())
        return LONG_S if hears else self._usual

    def learn(self, *, heard: bool) -> None:
        """Hear whether that was long enough."""
        self._usual = USUAL_S if heard else SHORT_S
