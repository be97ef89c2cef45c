"""Could not say: exactly where a missing value could change the answer, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoverdict.rules.evaluation import Evaluation
from cryoverdict.rules.expression import (
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
    Statistic,
    comparisons,
    names,
)
from cryoverdict.rules.expression_parser import parse_condition

NAN = float("nan")


def ask(node: Condition, values: Mapping[str, float]) -> int:
    """Return 1, 0 or -1 for one subject."""
    return int(evaluation(values).truth(node)[0])


def evaluation(values: Mapping[str, float]) -> Evaluation:
    """Return the evaluation of one subject without statistics."""

    def statistic(node: Statistic) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """No statistic is known."""
        return np.array([NAN])

    return Evaluation(
        size=1, thresholds={}, column=lambda name: np.array([values[name]]), statistic=statistic
    )


def read_once(atoms: list[str]) -> st.SearchStrategy[Condition]:
    """Return conditions in which every atom ``xN > 0`` stands once, as the loader demands."""

    def build(draw_from: list[str]) -> st.SearchStrategy[Condition]:
        """Return a condition over some atoms."""
        if len(draw_from) == 1:
            leaf: Condition = Compare(
                left=Name(name=draw_from[0]), operator=">", right=Name(name="zero")
            )
            return st.sampled_from([leaf, Not(part=leaf)])
        return st.integers(1, len(draw_from) - 1).flatmap(
            lambda cut: st.builds(
                lambda kind, left, right, negate: (
                    Not(part=kind(parts=(left, right))) if negate else kind(parts=(left, right))
                ),
                st.sampled_from([AllOf, AnyOf]),
                build(draw_from[:cut]),
                build(draw_from[cut:]),
                st.booleans(),
            )
        )

    return build(atoms)


@settings(deadline=None)
@given(
    st.integers(1, 5).flatmap(
        lambda n: st.tuples(
            read_once([f"x{i}" for i in range(n)]),
            st.lists(st.sampled_from([1.0, -1.0, NAN]), min_size=n, max_size=n),
        )
    )
)
def test_said_where_no_completion_differs_and_unsaid_where_two_do(
    case: tuple[Condition, list[float]],
) -> None:
    node, given_values = case
    values = {f"x{i}": v for i, v in enumerate(given_values)} | {"zero": 0.0}
    holes = [name for name, value in values.items() if np.isnan(value)]
    completed = {
        ask(node, values | dict(zip(holes, filling, strict=True)))
        for filling in product((1.0, -1.0), repeat=len(holes))
    }
    assert 0 not in completed
    answer = ask(node, values)
    assert completed == ({-1, 1} if answer == 0 else {answer})


def numbers() -> st.SearchStrategy[Expression]:
    """Return expressions over a, b, c."""
    leaf = st.sampled_from("abc").map(lambda n: Name(name=n))
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.builds(lambda x: Negative(operand=x), inner),
            st.builds(lambda x: Function(function="abs", arguments=(x,)), inner),
            st.builds(
                lambda f, x, y: Function(function=f, arguments=(x, y)),
                st.sampled_from(["min", "max"]),
                inner,
                inner,
            ),
            st.builds(
                lambda o, x, y: Arithmetic(operator=o, left=x, right=y),
                st.sampled_from("+-*/"),
                inner,
                inner,
            ),
        ),
        max_leaves=4,
    )


@settings(deadline=None, max_examples=150)
@given(
    st.builds(
        lambda o, x, y, p, z: AnyOf(
            parts=(
                Compare(left=x, operator=o, right=y),
                Compare(left=z, operator=p, right=Name(name="a")),
            )
        ),
        st.sampled_from(["<", "<=", ">", ">=", "=="]),
        numbers(),
        numbers(),
        st.sampled_from(["<", ">="]),
        numbers(),
    ),
    st.lists(st.one_of(st.just(NAN), st.integers(-2, 2).map(float)), min_size=3, max_size=3),
    st.lists(
        st.lists(st.integers(-9, 9).map(float), min_size=3, max_size=3), min_size=3, max_size=3
    ),
)
def test_what_is_said_holds_for_every_value_the_missing_ones_could_have(
    node: Condition, given_values: list[float], fillings: list[list[float]]
) -> None:
    values = dict(zip("abc", given_values, strict=True))
    answer = ask(node, values)
    if answer == 0:
        return
    for filling in fillings:
        full = {
            name: other if np.isnan(value) else value
            for (name, value), other in zip(values.items(), filling, strict=True)
        }
        # A division by 0 that the filling brings in is unknown again, but never the opposite.
        assert ask(node, full) in (answer, 0)


@pytest.mark.parametrize(
    ("condition", "values", "answer", "missing"),
    [
        ("a > b", {"a": NAN, "b": 0.0}, 0, ("a",)),
        ("a > b and c > b", {"a": NAN, "b": 0.0, "c": -1.0}, -1, ()),
        ("a > b or c > b", {"a": NAN, "b": 0.0, "c": 1.0}, 1, ()),
        ("(a > b or c > b) and d > b", {"a": NAN, "b": 0.0, "c": 1.0, "d": NAN}, 0, ("d",)),
        ("not (a > b or c > b)", {"a": NAN, "b": 0.0, "c": -1.0}, 0, ("a",)),
        ("max(a, c) > b", {"a": NAN, "b": 0.0, "c": 1.0}, 1, ()),
        ("max(a, c) > b", {"a": NAN, "b": 0.0, "c": -1.0}, 0, ("a",)),
        ("min(a, c) > b", {"a": NAN, "b": 0.0, "c": -1.0}, -1, ()),
        ("abs(a) >= 0", {"a": NAN}, 1, ()),
        ("a / c > b", {"a": 1.0, "b": 0.0, "c": 0.0}, 0, ("a / c",)),
        ("a * c > b", {"a": NAN, "b": 0.0, "c": NAN}, 0, ("a", "c")),
        ("a == b", {"a": 1.0, "b": 1.0}, 1, ()),
        ("a == b", {"a": 1.0, "b": 2.0}, -1, ()),
        ("a > b", {"a": float("inf"), "b": 0.0}, 0, ("a",)),
    ],
)
def test_single_cases(
    condition: str, values: dict[str, float], answer: int, missing: tuple[str, ...]
) -> None:
    node = parse_condition(condition)
    asked = evaluation(values)
    assert int(asked.truth(node)[0]) == answer
    assert (asked.missing(node, 0) if answer == 0 else ()) == missing


def test_names_and_comparisons_are_listed_once_and_in_order() -> None:
    node = parse_condition("b > a and (c < a or not b == c)")
    assert names(node) == ("b", "a", "c")
    assert [c.operator for c in comparisons(node)] == [">", "<", "=="]
