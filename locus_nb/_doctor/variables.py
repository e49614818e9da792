"""The variables of the environment that are ours."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from locus_nb._agent.model import PROVIDER_VARIABLE, providers
from locus_nb._doctor.finding import Finding
from locus_nb._entered import RUN_VARIABLE
from locus_nb._payloads.redact import redact_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX = "LOCUS_"


def variable_findings(environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Say of each variable that begins with LOCUS_ what it does; of one that is not known only the name is told."""
    for name in sorted(each for each in environment if each.startswith(PREFIX)):
        value = environment[name]
        if name == PROVIDER_VARIABLE:
            yield _provider(value)
        elif name == RUN_VARIABLE:
            said = f"{redact_name(value)}: the run that this process belongs to"
            yield Finding("variables", name, said if value else "empty: no run is inherited")
        else:
            yield Finding("variables", name, "set, and not known to locus_nb: it does nothing here", "note")


def _provider(value: str) -> Finding:
    if value and value not in providers():
        said = f"{redact_name(value)}: no such model provider"
        cure = f"unset it, or set it to one of: {', '.join(providers())}"
        return Finding("variables", PROVIDER_VARIABLE, said, "problem", cure)
    return Finding(
        "variables", PROVIDER_VARIABLE, f"{value or 'empty, so mock'}: the model that get_model() gives"
    )
