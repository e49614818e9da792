"""What the page says of a view: what the user selected in it, filters by, has paused, follows and answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a view of events can show them as.
TABS = ("table", "timeline", "tree")
MAX_SELECTED = 10_000
MAX_TEXT = 10_000
# Of questions at once.
MAX_SHOWN = 1_000
# What no keyboard types, and UTF-8 or a file cannot hold.
_BROKEN = re.compile("[\x00\ud800-\udfff]")
# What cannot be printed; a null character can, and a run's id may hold one.
_UNPRINTABLE = re.compile("[\ud800-\udfff]")
# Seconds in which a page that was told of a view makes it, and in which it paints it after its hello.
PAGE_MAKES = 1.0
PAGE_PAINTS = 0.3


class PageState(NamedTuple):
    """What the user did in a view.

    Attributes:
        selected: Seqs of the rows that are selected.
        filter: The text of the filter.
        paused: Whether the view stands still; the run goes on.
        run: In a view of all runs, the one that was picked; empty for all.
        wish: The number of the newest wish that the page has fulfilled; 0 for none.
    """

    selected: tuple[int, ...] = ()
    filter: str = ""
    paused: bool = False
    run: str = ""
    wish: int = 0

    def with_granted(self, wishes: Iterable[Wish]) -> PageState:
        """What it is once the page has heard these: what it said before then tells nothing of what they ask for."""
        state = self
        for wish in wishes:
            if wish.n > self.wish:
                state = state._replace(**wish.asked)
        return state


class Wish(NamedTuple):
    """What Python asks of the page, which fulfils each wish once, by its number; one that is made anew does again.

    Attributes:
        n: Ascending.
        filter: The text of the filter; None to leave it as it is.
        paused: Whether the view is to stand still; None to leave it as it is.
    """

    n: int
    filter: str | None = None
    paused: bool | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """What is to change, by name."""
        return {name: value for name, value in self._asdict().items() if name != "n" and value is not None}

    def holds_in(self, state: PageState) -> bool:
        """Whether a page is as it asks for."""
        return self.asked.items() <= state._asdict().items()


def page_state(content: object) -> PageState | None:
    """Read a message of the page's; None if it is no well-formed `view` message.

    A page is not trusted: whatever has another type, a seq below 0, more than 10,000 seqs or characters, or half a
    character makes the whole message void.
    """
    said = _message(content, "view")
    selected, paused = said.get("selected"), said.get("paused")
    texts = (said.get("filter"), said.get("run"))
    if not all(
        isinstance(text, str) and len(text) <= MAX_TEXT and not _UNPRINTABLE.search(text) for text in texts
    ):
        return None
    if not isinstance(paused, bool) or not isinstance(selected, list):
        return None
    seqs, wish = cast("list[object]", selected), said.get("wish", 0)
    if len(seqs) > MAX_SELECTED or not all(type(number) is int and number >= 0 for number in (*seqs, wish)):
        return None
    filtered, run = cast("tuple[str, str]", texts)
    return PageState(tuple(cast("list[int]", seqs)), filtered, paused, run, wish)


class Answered(NamedTuple):
    """What the page says of a question.

    Attributes:
        question: Its id.
        option: The number of the option that was picked, from 0; None for none.
        text: What was typed; None if nothing was.
    """

    question: str
    option: int | None
    text: str | None


def page_answer(content: object) -> Answered | None:
    """Read a message of the page's; None if it is no well-formed `answer` message."""
    said = _message(content, "answer")
    question, option, text = said.get("id"), said.get("option"), said.get("text")
    is_option = text is None and type(option) is int and option >= 0
    is_text = option is None and isinstance(text, str) and len(text) <= MAX_TEXT and not _BROKEN.search(text)
    if not isinstance(question, str) or not (is_option or is_text):
        return None
    return Answered(question, option, text)


def page_shows(content: object) -> list[str]:
    """Read a message of the page's: the ids of the questions that it shows; none if it is no `asked` message."""
    ids = _message(content, "asked").get("ids")
    first = cast("list[object]", ids)[:MAX_SHOWN] if isinstance(ids, list) else []
    return [one for one in first if isinstance(one, str)]


def _message(content: object, kind: str) -> dict[Any, Any]:
    """Give a message of that kind; empty if it is another one, or none."""
    said = cast("dict[Any, Any]", content) if isinstance(content, dict) else {}
    return said if said.get("kind") == kind else {}
