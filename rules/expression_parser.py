"""From the text of a condition or a value to its tree; nothing is ever executed.

Python's own parser splits the text, because its grammar is the one that everybody knows; then
only the few kinds of node listed here are taken over, and everything else is refused.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from typing import TypeVar

from cryoverdict.rules.expression import (
    ALWAYS,
    FUNCTIONS,
    STATISTICS,
    AllOf,
    AnyOf,
    Arithmetic,
    Compare,
    Condition,
    Expression,
    Function,
    Name,
    Negative,
    Not,
    Number,
    Statistic,
)

LONGEST = 1000
DEEPEST = 30
BARE_NUMBERS = (0, 1, 2)

_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_ARITHMETIC[ast.Div] = "/"
_COMPARISONS: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">"}
_COMPARISONS |= {ast.GtE: ">=", ast.Eq: "=="}
# How many arguments a function takes: at least, at most (None: any number).
_ARGUMENTS: dict[str, tuple[int, int | None]] = {
    "abs": (1, 1),
    "min": (2, None),
    "max": (2, None),
    "robust_z": (1, 1),
    "median": (1, 1),
    "mad": (1, 1),
    "quantile": (2, 2),
    "count": (0, 1),
}
Parsed = TypeVar("Parsed")


class ExpressionFault(Exception):
    """What is wrong in an expression, at an offset of its text."""

    def __init__(self, *, at: int, message: str) -> None:
        """Keep the offset and the sentence."""
        super().__init__(message)
        self.at = at
        self.message = message


def parse_condition(source: str) -> Condition:
    """Return the tree of a condition; ``always`` alone holds for every subject.

    Raises `ExpressionFault` at the first place that is not of the rule language.

    >>> parse_condition("x > limit").operator
    '>'
    """
    if source.strip() == "always":
        return ALWAYS
    return _parsed(source, _condition)


def parse_expression(source: str) -> Expression:
    """Return the tree of a number; raises `ExpressionFault`."""
    return _parsed(source, _number)


def _parsed(source: str, convert: Callable[[ast.expr, int], Parsed]) -> Parsed:
    """Split the text and take over its tree with ``convert``."""
    if len(source) > LONGEST:
        msg = f"an expression of {len(source)} characters; accepted are {LONGEST}; split the rule"
        raise ExpressionFault(at=0, message=msg)
    if not source.isascii():
        at = next(i for i, c in enumerate(source) if not c.isascii())
        msg = f"the character {source[at]!r}; accepted is plain ASCII, such as >= for ≥"
        raise ExpressionFault(at=at, message=msg)
    flat = "".join(" " if c.isspace() else c for c in source)
    shift = len(flat) - len(flat.lstrip())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(flat.strip(), mode="eval")
        return convert(tree.body, 0)
    except ExpressionFault as fault:
        raise ExpressionFault(at=fault.at + shift, message=fault.message) from None
    except SyntaxError as error:
        msg = f"not an expression ({error.msg}); accepted is for example x > limit and not y < 0"
        at = error.offset - 1 if error.offset else len(flat.strip())
        raise ExpressionFault(at=min(at, len(flat.strip())) + shift, message=msg) from None
    except (RecursionError, MemoryError, ValueError):
        msg = f"nested too deeply; accepted are {DEEPEST} levels; split the rule"
        raise ExpressionFault(at=shift, message=msg) from None


def _refuse(node: ast.expr, message: str) -> ExpressionFault:
    """Return the fault at a node."""
    return ExpressionFault(at=node.col_offset, message=message)


def _check_depth(node: ast.expr, depth: int) -> None:
    """Refuse what no person would read."""
    if depth > DEEPEST:
        raise _refuse(node, f"nested too deeply; accepted are {DEEPEST} levels; split the rule")


def _condition(node: ast.expr, depth: int) -> Condition:
    """Return the condition that a Python node stands for."""
    _check_depth(node, depth)
    at = node.col_offset
    match node:
        case ast.BoolOp():
            parts = tuple(_condition(value, depth + 1) for value in node.values)
            joined = AllOf if isinstance(node.op, ast.And) else AnyOf
            return joined(parts=parts, at=at)
        case ast.UnaryOp(op=ast.Not()):
            return Not(part=_condition(node.operand, depth + 1), at=at)
        case ast.Compare():
            return _comparison(node, depth)
        case _:
            found = ast.unparse(node)
            msg = f"{found!r} says neither yes nor no; accepted is a comparison such as x > limit"
            raise _refuse(node, msg)


def _comparison(node: ast.Compare, depth: int) -> Condition:
    """Return a comparison, or ``low < x < high`` as two of them."""
    sides = [_number(side, depth + 1) for side in (node.left, *node.comparators)]
    parts = []
    for left, operator, right, side in zip(
        sides, node.ops, sides[1:], node.comparators, strict=False
    ):
        if type(operator) not in _COMPARISONS:
            msg = f"an operator that is not one of the language; accepted are {_list(_COMPARISONS)}"
            raise _refuse(side, msg)
        parts.append(
            Compare(left=left, operator=_COMPARISONS[type(operator)], right=right, at=left.at)
        )
    return parts[0] if len(parts) == 1 else AllOf(parts=tuple(parts), at=node.col_offset)


def _number(node: ast.expr, depth: int) -> Expression:
    """Return the number that a Python node stands for."""
    _check_depth(node, depth)
    at = node.col_offset
    match node:
        case ast.Name():
            return Name(name=node.id, at=at)
        case ast.Constant(value=True | False | None):
            raise _refuse(node, f"{ast.unparse(node)} is not a number; compare a feature instead")
        case ast.Constant(value=int() | float() as value):
            if value not in BARE_NUMBERS:
                msg = (
                    f"the bare number {value:g}; accepted are 0, 1 and 2: name any other under "
                    "thresholds, with its unit and source"
                )
                raise _refuse(node, msg)
            return Number(value=float(value), at=at)
        case ast.UnaryOp(op=ast.USub()):
            return Negative(operand=_number(node.operand, depth + 1), at=at)
        case ast.BinOp() if type(node.op) in _ARITHMETIC:
            return Arithmetic(
                operator=_ARITHMETIC[type(node.op)],
                left=_number(node.left, depth + 1),
                right=_number(node.right, depth + 1),
                at=at,
            )
        case ast.Call():
            return _call(node, depth)
        case _:
            accepted = f"names, + - * /, {', '.join(FUNCTIONS)}, {', '.join(STATISTICS)}"
            msg = f"{ast.unparse(node)!r} is not a number of the language; accepted are {accepted}"
            raise _refuse(node, msg)


def _call(node: ast.Call, depth: int) -> Expression:
    """Return a function of the subject's own numbers, or a data-set statistic."""
    called = ast.unparse(node.func)
    if not isinstance(node.func, ast.Name) or called not in _ARGUMENTS:
        msg = f"the function {called}; accepted are {', '.join((*FUNCTIONS, *STATISTICS))}"
        raise _refuse(node, msg)
    least, most = _ARGUMENTS[called]
    number = len(node.args)
    if node.keywords or number < least or (most is not None and number > most):
        wanted = f"{least}" if most == least else f"{least} or more" if most is None else "0 or 1"
        msg = f"{called} with {number + len(node.keywords)} arguments; accepted are {wanted}"
        raise _refuse(node, msg)
    arguments = tuple(_number(argument, depth + 1) for argument in node.args)
    if called in FUNCTIONS:
        return Function(function=called, arguments=arguments, at=node.col_offset)
    fraction = arguments[1] if called == "quantile" else None
    if fraction is not None and not isinstance(fraction, Name | Number):
        msg = "the fraction of quantile is computed; accepted is a threshold from 0 to 1"
        raise ExpressionFault(at=fraction.at, message=msg)
    return Statistic(
        function=called,
        argument=arguments[0] if arguments else None,
        fraction=fraction,
        at=node.col_offset,
    )


def _list(operators: dict[type[ast.cmpop], str]) -> str:
    """Return the accepted operators as a sentence names them."""
    return " ".join(operators.values())
