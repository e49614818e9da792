"""What the tests of `doctor` share: what is found by its name, and a page that answers."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from locus_nb._doctor import diagnosis as diagnosis_module
from locus_nb._doctor import lab, packages, page_probe
from locus_nb._doctor.host import Host
from tests.bus_kit import GRACE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest

    from locus_nb import Finding
    from locus_nb._doctor.page_probe import PageProbe

SECRET = "sk-ant-api03-" + "a1B2" * 20
HOSTILE = '<img src=x onerror="alert(1)"></table><script>alert(2)</script>'
HEARD = "Live views work here, also while a cell is busy."
HELLO = {"kind": "hello", "last_seq": 0}
KERNEL = Host(
    "kernel", "a kernel", SimpleNamespace(kernel=SimpleNamespace(_supports_kernel_subshells=True)), True
)


def named(findings: Iterable[Finding], name: str) -> Finding:
    """The one finding of that name."""
    (found,) = [finding for finding in findings if finding.name == name]
    return found


def instead_of_installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Make which distributions are installed, and in which version, what stands in a dict: none yet."""
    found: dict[str, str] = {}
    monkeypatch.setattr(packages, "installed", found.get)
    monkeypatch.setattr(lab, "installed", found.get)
    return found


def outputs_of_probes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Keep what a probe and its report show and update, the id and the data of each output, from the page."""
    made: list[tuple[str, Any]] = []
    monkeypatch.setattr(
        page_probe, "show_output", lambda data, **about: made.append((about["display_id"], data))
    )
    monkeypatch.setattr(page_probe, "update_output", lambda name, data: made.append((name, data)))
    monkeypatch.setattr(
        diagnosis_module, "show_output", lambda data, **about: made.append((about["display_id"], data))
    )
    monkeypatch.setattr(diagnosis_module, "update_output", lambda name, data: made.append((name, data)))
    return made


def say_from_thread(probe: PageProbe) -> None:
    """Have the page's hello come in another thread."""
    in_thread(lambda: probe._hear(HELLO))


def in_thread(do: Callable[[], object]) -> None:
    """Have something done in another thread; waits for its end."""
    thread = threading.Thread(target=do)
    thread.start()
    thread.join()


def have_page_answer(probe: PageProbe) -> None:
    """Have the page answer in another thread, and the probe end for it; waits until that is told."""
    told, tell = threading.Event(), probe._at_end

    def tell_on() -> None:
        tell()
        told.set()

    probe._at_end = tell_on
    say_from_thread(probe)
    # The pump's thread may do so at the same time.
    in_thread(probe.end)
    assert told.wait(GRACE_S)
