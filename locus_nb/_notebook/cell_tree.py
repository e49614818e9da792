"""The parsed code of a cell with a `%%locus` line: it runs inside of a `with` that makes it a run.

The `with` is a plain one at the cell's top level, so that names are global, and `await` means what it did.
IPython shows what stands last in a cell by the mode in which it compiles that; inside of the `with` that is said
here.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from locus_nb._notebook.cell_source import Marker

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Not by a name of the user's, and not by one that the user would then see. The shell puts itself among the builtins
# while a cell runs.
_SHELL = "__import__('builtins').get_ipython()"
_RUNTIME = "__import__('locus_nb._notebook.cell_run', fromlist=['cell_run'])"


class WrapCell:
    """What IPython calls with each cell's tree.

    Never raises: IPython would then do without it, for good, and a marker alone does nothing.

    Args:
        shell: Says by its `ast_node_interactivity` what of a cell is shown.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        # Whether what runs now was asked for without its output, of which the shell says nothing.
        self._silent = False

    def begin(self, *_info: object) -> None:
        """Hear that something is about to be run, which may be silent."""
        self._silent = True

    def begin_aloud(self, *_info: object) -> None:
        """Hear that it is a cell like any other."""
        self._silent = False

    def visit(self, tree: ast.AST) -> ast.AST:
        """Give the tree with the `with`, if it begins with a marker."""
        if isinstance(tree, ast.Module):
            mode = "none" if self._silent else str(self._shell.ast_node_interactivity)
            tree.body = wrapped(tree.body, mode)
        return tree


def wrapped(body: list[ast.stmt], mode: str) -> list[ast.stmt]:
    """Give a cell's statements with what comes after a marker in a `with`; without one, as they are.

    Args:
        body: The statements.
        mode: What of them is shown, in the words of `InteractiveShell.ast_node_interactivity`.
    """
    marker = _marker_of(body)
    if marker is None:
        return body
    # They say how the rest is compiled, so they may not be in a block.
    futures = [statement for statement in body[1:] if _is_future(statement)]
    inside = [_within(statement) for statement in body[1:]]
    if _marker_of(inside) is not None:
        inside = wrapped(inside, mode)
    elif not marker.quiet:
        inside = _shown(inside, mode)
    block = _block(marker, inside or [ast.Pass()], body[0])
    # In some modes IPython shows whatever stands last, and all of a `with` that does.
    end = ast.copy_location(ast.Pass(), (inside or body)[-1])
    return [*futures, block, end]


def _marker_of(body: Sequence[ast.stmt]) -> Marker | None:
    first = body[0] if body else None
    if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
        return None
    return Marker.read(first.value.value)


def _is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _within(statement: ast.stmt) -> ast.stmt:
    # IPython compiles each statement by itself. There `global` says nothing; behind others it may be an error.
    is_void = isinstance(statement, ast.Global) or _is_future(statement)
    return ast.copy_location(ast.Pass(), statement) if is_void else statement


def _block(marker: Marker, body: list[ast.stmt], place: ast.stmt) -> ast.With:
    call = f"{_RUNTIME}.cell_run({_SHELL}, {marker.line!r}, {marker.title!r})"
    (block,) = ast.parse(f"with {call}: pass").body
    assert isinstance(block, ast.With)  # noqa: S101 - what was written above
    for node in ast.walk(block):
        _put(node, place)
    block.body = body
    return block


def _shown(body: list[ast.stmt], mode: str) -> list[ast.stmt]:
    """Give the statements with those values shown that IPython shows in this mode."""
    if not body or mode == "none":
        return body
    if mode == "all":
        return _all_shown(body)
    if mode == "last":
        return [*body[:-1], *_all_shown(body[-1:])]
    if mode == "last_expr_or_assign" and (name := _assigned(body[-1])):
        shown = ast.copy_location(ast.Expr(ast.Name(name, ast.Load())), body[-1])
        body = [*body, ast.fix_missing_locations(shown)]
    last = body[-1]
    return [*body[:-1], _show(last)] if isinstance(last, ast.Expr) else body


def _all_shown(body: Iterable[ast.stmt]) -> list[ast.stmt]:
    return [_ShowAll().visit(statement) for statement in body]


def _assigned(statement: ast.stmt) -> str | None:
    target = None
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
        target = statement.target
    return target.id if isinstance(target, ast.Name) else None


def _show(statement: ast.Expr) -> ast.Expr:
    call = ast.parse(f"{_RUNTIME}.show", mode="eval").body
    for node in ast.walk(call):
        _put(node, statement)
    shown = ast.copy_location(ast.Call(call, [statement.value], []), statement.value)
    return ast.copy_location(ast.Expr(shown), statement)


class _ShowAll(ast.NodeTransformer):
    """Has each expression shown that is a statement, also in blocks, but not in functions and classes."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        return _show(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        return node


def _put(node: ast.AST, place: ast.stmt) -> None:
    if hasattr(node, "lineno"):
        ast.copy_location(node, place)
