"""The rule language: what it accepts, what it refuses, and that its text is its tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoverdict.rules.expression import (
    ALWAYS,
    FUNCTIONS,
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
    text,
)
from cryoverdict.rules.expression_parser import (
    ExpressionFault,
    parse_condition,
    parse_expression,
)

NAMES = st.sampled_from(["x", "y_a", "limit"])


def expressions() -> st.SearchStrategy[Expression]:
    """Return numbers of the language, nested a few levels."""
    leaves = st.one_of(
        st.builds(lambda v: Number(value=float(v)), st.sampled_from([0, 1, 2])),
        st.builds(lambda n: Name(name=n), NAMES),
        st.just(Statistic(function="count")),
        st.builds(
            lambda n: Statistic(
                function="quantile", argument=Name(name=n), fraction=Name(name="q")
            ),
            NAMES,
        ),
    )

    def deeper(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        """Return what can be built of simpler numbers."""
        return st.one_of(
            st.builds(lambda n: Negative(operand=n), inner),
            st.builds(
                lambda o, a, b: Arithmetic(operator=o, left=a, right=b),
                st.sampled_from("+-*/"),
                inner,
                inner,
            ),
            st.builds(lambda a: Function(function="abs", arguments=(a,)), inner),
            st.builds(
                lambda f, a: Function(function=f, arguments=tuple(a)),
                st.sampled_from(["min", "max"]),
                st.lists(inner, min_size=2, max_size=3),
            ),
            st.builds(
                lambda f, a: Statistic(function=f, argument=a),
                st.sampled_from(["robust_z", "median", "mad", "count"]),
                inner,
            ),
        )

    return st.recursive(leaves, deeper, max_leaves=6)


def conditions() -> st.SearchStrategy[Condition]:
    """Return conditions of the language, nested a few levels."""
    leaves = st.builds(
        lambda o, a, b: Compare(left=a, operator=o, right=b),
        st.sampled_from(["<", "<=", ">", ">=", "=="]),
        expressions(),
        expressions(),
    )

    def deeper(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
        """Return what can be built of simpler conditions."""
        parts = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.one_of(
            st.builds(lambda c: Not(part=c), inner),
            st.builds(lambda p: AllOf(parts=p), parts),
            st.builds(lambda p: AnyOf(parts=p), parts),
        )

    return st.recursive(leaves, deeper, max_leaves=5)


@given(conditions())
def test_the_canonical_text_of_a_condition_reads_back_as_the_same_tree(node: Condition) -> None:
    assert parse_condition(text(node)) == node


def test_a_chain_is_two_comparisons_joined_by_and() -> None:
    low, x, high = Name(name="low"), Name(name="x"), Name(name="high")
    assert parse_condition("low < x <= high") == AllOf(
        parts=(
            Compare(left=low, operator="<", right=x),
            Compare(left=x, operator="<=", right=high),
        )
    )


def test_always_is_a_condition_only_when_it_stands_alone() -> None:
    assert parse_condition(" always ") == ALWAYS
    with pytest.raises(ExpressionFault, match="neither yes nor no"):
        parse_condition("always and x > y")


@pytest.mark.parametrize(
    ("source", "at", "words"),
    [
        ("x > 3", 4, "the bare number 3"),
        ("x > 0.5", 4, "the bare number 0.5"),
        ("x != y", 5, "accepted are < <= > >= =="),
        ("x is y", 5, "accepted are < <= > >= =="),
        ("x in (y, x)", 5, "not a number of the language"),
        ("x", 0, "says neither yes nor no"),
        ("x > y and z", 10, "says neither yes nor no"),
        ("__import__('os') > y", 0, "the function __import__"),
        ("x.__class__ > y", 0, "not a number of the language"),
        ("x[0] > y", 0, "not a number of the language"),
        ("(lambda: x)() > y", 0, "the function"),
        ("[x for x in y] > y", 0, "not a number of the language"),
        ("f'{x}' > y", 0, "not a number of the language"),
        ("(x := y) > y", 1, "not a number of the language"),
        ("x ** 2 > y", 0, "not a number of the language"),
        ("x % 2 > y", 0, "not a number of the language"),
        ("x > True", 4, "not a number"),
        ("'text' > y", 0, "not a number of the language"),
        ("robust_z() > y", 0, "accepted are 1"),
        ("robust_z(x, y) > y", 0, "accepted are 1"),
        ("quantile(x) > y", 0, "accepted are 2"),
        ("quantile(x, y + 1) > y", 12, "the fraction of quantile"),
        ("max(x) > y", 0, "accepted are 2 or more"),
        ("count(x, y) > y", 0, "accepted are 0 or 1"),
        ("abs(x=y) > y", 0, "accepted are 1"),
        ("exp(x) > y", 0, "the function exp; accepted are abs"),
        ("x > ", 3, "not an expression"),
        ("x >> y > y", 0, "not a number of the language"),
        ("x ≥ y", 2, "plain ASCII"),
        ("  x > 3", 6, "the bare number 3"),
    ],
)
def test_what_is_not_of_the_language_is_refused_where_it_stands(
    source: str, at: int, words: str
) -> None:
    with pytest.raises(ExpressionFault, match=words.replace("(", r"\(")) as caught:
        parse_condition(source)
    assert caught.value.at == at


@pytest.mark.parametrize(
    "source",
    ["(" * 250 + "x" + ")" * 250 + " > y", "-" * 900 + "x > y", "not " * 200 + "x > y"],
)
def test_endless_nesting_is_refused_and_breaks_nothing(source: str) -> None:
    with pytest.raises(ExpressionFault):
        parse_condition(source)


def test_a_very_long_expression_is_refused() -> None:
    with pytest.raises(ExpressionFault, match="1003 characters"):
        parse_expression("x+" * 501 + "x")


def test_every_function_of_the_language_is_parsed() -> None:
    for function in FUNCTIONS:
        arguments = "x" if function == "abs" else "x, y"
        assert text(parse_expression(f"{function}({arguments})")) == f"{function}({arguments})"
