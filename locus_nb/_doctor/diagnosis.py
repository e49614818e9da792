"""All that was found, as an object that shows itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from locus_nb._doctor.conclusion import conclude
from locus_nb._doctor.lab import lab_findings
from locus_nb._doctor.page_findings import page_findings
from locus_nb._doctor.report import report_html, report_text
from locus_nb._payloads.redact import redact_name
from locus_nb._views.notebook import show_output, update_output
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locus_nb._doctor.answer import Answer
    from locus_nb._doctor.conclusion import Conclusion
    from locus_nb._doctor.finding import Finding
    from locus_nb._doctor.host import Host
    from locus_nb._doctor.page_probe import PageProbe

# In this order they are told.
_TOPICS = ("page", "here", "packages", "extras", "events", "variables")


class Diagnosis:
    """What `doctor` found; shows itself as a report, the conclusion first.

    What a page answers may come after the cell: until then the report says so, and where it is displayed it is
    brought up to date. Everything else is as it was when `doctor` was called. Secrets are hidden in it, but no
    function is asked that `configure(redact=...)` was given: it is for payloads.

    Example:
        >>> from locus_nb import doctor
        >>> found = doctor(wait=0)
        >>> found.ok, found["page"].verdict
        (True, 'note')
    """

    def __init__(self, host: Host, fixed: Sequence[Finding]) -> None:
        self._host = host
        self._fixed = tuple(fixed)
        self._probe: PageProbe | None = None
        self._failure = ""
        self._answer: Answer | None = None
        # The outputs that show it while a page may still answer; None once that is over.
        self._shown: list[str] | None = []
        self._lock = threading.Lock()

    @property
    def ok(self) -> bool:
        """Whether no problem was found; notes are none."""
        return _is_ok(self.findings)

    @property
    def conclusion(self) -> str:
        """What it comes to, in a sentence."""
        return self._told()[0].said

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, by topics."""
        return self._told()[1]

    def __getitem__(self, name: str) -> Finding:
        """The finding of that name.

        Raises:
            KeyError: There is none.
        """
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(f"doctor() found nothing named {name!r}: look at findings")

    def to_dict(self) -> dict[str, Any]:
        """All of it as `ok`, `conclusion` and `findings`, which JSON can hold."""
        conclusion, findings = self._told()
        return jsonable(
            {
                "ok": _is_ok(findings),
                "conclusion": conclusion.said,
                "findings": [finding._asdict() for finding in findings],
            }
        )

    def ask_page(self, seconds: float) -> None:
        """Show a view that nobody sees, and wait that long for its page; what it says later is told too.

        Without ipywidgets or anywidget, or where they fail, that is what is found.
        """
        try:
            from locus_nb._doctor.page_probe import PageProbe  # noqa: PLC0415 - what it needs may be missing

            self._probe = PageProbe(self._end)
            self._probe.ask(seconds)
        # An edge: other packages, of which anything may be broken, and which may want to end the process.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            self._failure = f"{type(error).__name__}: {error}"

    def __repr__(self) -> str:
        return report_text(*self._told())

    def _repr_mimebundle_(self, **_which: object) -> dict[str, str]:
        conclusion, findings = self._told()
        return {
            "text/plain": report_text(conclusion, findings),
            "text/html": report_html(conclusion, findings),
        }

    def _ipython_display_(self) -> None:
        answer = self._heard()
        if answer is None or answer.over:
            # Then it is an output as any other.
            raise NotImplementedError
        display_id = f"locus-nb-doctor-{uuid4().hex[:12]}"
        show_output(self._repr_mimebundle_(), display_id=display_id)
        # Not before: an output that is not there yet cannot be updated.
        with self._lock:
            if self._shown is not None:
                self._shown.append(display_id)
                return
        update_output(display_id, self._repr_mimebundle_())

    def _heard(self) -> Answer | None:
        # Read once: another thread may end it. Then what it had is here already.
        probe = self._probe
        return self._answer if probe is None else probe.answer

    def _end(self) -> None:
        """Keep what the page has answered, and tell it where this is shown."""
        self._answer = self._heard()
        self._probe = None
        with self._lock:
            shown, self._shown = self._shown, None
        for display_id in shown or ():
            update_output(display_id, self._repr_mimebundle_())

    def _told(self) -> tuple[Conclusion, tuple[Finding, ...]]:
        """What was found, and what it comes to, both of one moment: a page may answer at any time."""
        answer = self._heard()
        found = [
            *page_findings(self._host, answer, self._failure),
            *self._fixed,
            *lab_findings(answered=answer is not None and answer.came),
        ]
        found.sort(key=lambda finding: _TOPICS.index(finding.topic))
        findings = tuple(
            finding._replace(found=redact_name(finding.found), cure=redact_name(finding.cure))
            for finding in found
        )
        return conclude(self._host, findings, answer), findings


def _is_ok(findings: Sequence[Finding]) -> bool:
    return all(finding.verdict != "problem" for finding in findings)
