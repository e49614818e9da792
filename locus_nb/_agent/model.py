"""Where models come from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from locus_nb._agent.mock import MockModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from locus_nb._agent.messages import Model

PROVIDER_VARIABLE = "LOCUS_MODEL_PROVIDER"


def get_model(provider: str | None = None, **options: Any) -> Model:
    """Make the model that `provider` or, without one, the variable `LOCUS_MODEL_PROVIDER` names.

    Args:
        provider: A known name. Default: the variable, which is read at each call; `mock` if it is unset
            or empty.
        **options: Passed to the model: `latency` in seconds, for the mock.

    Raises:
        TypeError: `provider` is not a str, or the model does not know an option.
        ValueError: Nothing is known by this name.

    Example:
        >>> get_model("mock", latency=0).name
        'mock'
    """
    if provider is not None and not isinstance(provider, str):  # pyright: ignore[reportUnnecessaryIsInstance] - callers are not all type-checked
        raise TypeError(f"get_model() takes a provider's name, not {type(provider).__name__}")
    name = os.environ.get(PROVIDER_VARIABLE) or "mock" if provider is None else provider
    if name not in _PROVIDERS:
        said = f"{PROVIDER_VARIABLE}={name}" if provider is None else f"get_model({name!r})"
        raise ValueError(
            f"{said}: no such model provider; known: {', '.join(providers())}. For another model, "
            "write an object with `async complete(messages, tools)` and pass it: Agent(model=...)"
        )
    return _PROVIDERS[name](**options)


def providers() -> list[str]:
    """Give the names that are known, sorted."""
    return sorted(_PROVIDERS)


_PROVIDERS: dict[str, Callable[..., Model]] = {"mock": MockModel}
