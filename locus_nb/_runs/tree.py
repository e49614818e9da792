"""A run as a tree that stays: its agents, their iterations, the calls in them, and what these called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from locus_nb._payloads.format import clean, counted, cut, duration, html
from locus_nb._payloads.kinds import title_of
from locus_nb._views.static_table import MARKS, MAX_TEXT_WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from locus_nb._views.fold import Item

MAX_LINES = 500
MAX_LABEL = 60
MAX_PREVIEW = 120
# What hangs deeper hangs beside what called it.
MAX_DEPTH = 40

_CLASSES = {"model": "m", "tool": "t", "think": "k", "end": "e", "agent": "a"}


class Branch:
    """Something in a run, with what belongs to it below."""

    __slots__ = ("children", "depth", "item", "kind", "label", "named")

    def __init__(
        self,
        kind: Literal["run", "agent", "iteration", "item"],
        label: str,
        *,
        depth: int = 0,
        item: Item | None = None,
    ) -> None:
        self.kind = kind
        self.label = label
        self.item = item
        self.depth = depth
        self.children: list[Branch] = []
        self.named: dict[tuple[str, str], Branch] = {}

    def at(self, kind: Literal["agent", "iteration"], label: str) -> Branch:
        """Give the agent or iteration of that name below this, made if there is none."""
        branch = self.named.get((kind, label))
        if branch is None:
            branch = self.named[kind, label] = Branch(kind, label, depth=self.depth + 1)
            self.children.append(branch)
        return branch

    def put(self, item: Item) -> Branch:
        """Hang an item below this."""
        branch = Branch("item", "", depth=self.depth + 1, item=item)
        self.children.append(branch)
        return branch

    @property
    def shown(self) -> list[Branch]:
        """What is shown below it: a run's only agent needs no level of its own."""
        alone = self.kind == "run" and len(self.children) == 1 and self.children[0].kind == "agent"
        return self.children[0].shown if alone else self.children


class Line(NamedTuple):
    """One line of the tree: what stands before it, and what it is of."""

    stem: str
    branch: Branch


def tree_of(items: Iterable[Item], title: str) -> Branch:
    """Hang the items of one run where they belong, much as the page does.

    What took time, and what failed, is in the tree. A call whose `parent_span_id` is another call's hangs below
    that; else it is in the run. What names another agent than what it hangs below is below that agent there,
    and in the iteration it names, or else a model call or a thought of that agent named last. A parent is looked
    for among what began earlier.
    """
    root = Branch("run", title)
    spans: dict[str, Branch] = {}
    rounds: dict[int, str] = {}
    for item in items:
        row = item.lead
        above = spans.get(row.parent_id) if row.parent_id is not None else None
        base = above or root
        owner = above.item.lead.agent if above is not None and above.item is not None else None
        if row.agent is not None and row.agent != owner:
            base = base.at("agent", row.agent)
        if row.iteration is not None and row.family in ("model", "think"):
            rounds[id(base)] = str(row.iteration)
        if row.phase == "point" and row.status != "error":
            continue
        iteration = rounds.get(id(base)) if row.iteration is None else str(row.iteration)
        if iteration is not None and row.family != "end":
            base = base.at("iteration", iteration)
        branch = base.put(item)
        if row.span_id is not None and row.phase != "point":
            spans[row.span_id] = branch if branch.depth < MAX_DEPTH else above or branch
    return root


def tree_lines(root: Branch) -> Iterator[Line]:
    """Give the lines of a tree from the top, with what connects them."""
    yield Line("", root)
    # Without recursion: a level at a time is on the stack, the next line last.
    stack = [(child, "", number == 0) for number, child in enumerate(reversed(root.shown))]
    while stack:
        branch, stem, is_last = stack.pop()
        yield Line(stem + ("└─ " if is_last else "├─ "), branch)
        below = stem + ("   " if is_last else "│  ")
        stack += [(child, below, number == 0) for number, child in enumerate(reversed(branch.shown))]


def tree_text(root: Branch, *, ended: bool, limit: int = MAX_LINES) -> list[str]:
    """Give the tree as lines of at most 120 characters; what is over the limit is said to be left out."""
    lines = list(tree_lines(root))
    said = [cut(line.stem + _said(line.branch, ended=ended), MAX_TEXT_WIDTH) for line in lines[:limit]]
    return said + ([f"{counted(len(lines) - limit, 'more line')} not shown"] if len(lines) > limit else [])


def tree_html(root: Branch, *, ended: bool) -> str:
    """Give the tree as escaped html of at most 500 lines."""
    lines = list(tree_lines(root))
    shown = "\n".join(_line(line, ended=ended) for line in lines[:MAX_LINES])
    more = len(lines) - MAX_LINES
    note = f'<p class="locus-static-note">{counted(more, "more line")} not shown</p>' if more > 0 else ""
    return f'<pre class="locus-static-scroll locus-static-tree">{shown}</pre>{note}'


def _line(line: Line, *, ended: bool) -> str:
    parts = _parts(line.branch, ended=ended)
    label, *facts = (html(part, MAX_PREVIEW) for part in parts)
    item = line.branch.item
    family = (
        "g" if item is None else "x" if item.last.status == "error" else _CLASSES.get(item.lead.family, "o")
    )
    told = f" <span>{' · '.join(facts)}</span>" if facts else ""
    return f'<span class="{family}"><i>{line.stem}</i><b>{label}</b>{told}</span>'


def _said(branch: Branch, *, ended: bool) -> str:
    return " · ".join(clean(part, MAX_PREVIEW) for part in _parts(branch, ended=ended))


def _parts(branch: Branch, *, ended: bool) -> Sequence[str]:
    """Say what a line is of, and how that went."""
    item = branch.item
    if item is None:
        labels = {"agent": f"agent {branch.label}", "iteration": f"iteration {branch.label}"}
        return [clean(labels.get(branch.kind, branch.label), MAX_LABEL)]
    last = item.last
    took = item.duration_ms
    mark = MARKS.get(last.status or "", "")
    never = "never completed" if ended else "not completed yet"
    told = [
        f"{mark} {name_of(item)}".strip(),
        never if item.is_open else duration(took) if took is not None else "",
        item.used.preview if item.used else "",
        last.error or last.preview,
    ]
    return [told[0], *filter(None, told[1:])]


def name_of(item: Item) -> str:
    """Give what an item is called: the model or tool, else its event type up to the last dot."""
    lead, last = item.lead, item.last
    name = (last.name or lead.name) if lead.family in ("model", "tool") else None
    kind = f"{lead.family} " if name else ""
    bare = lead.event_type if lead.phase == "point" else title_of(lead.event_type)
    return clean(f"{kind}{name or bare}", MAX_LABEL)
