"""One piece of an expert's knowledge: when it holds, what follows, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

from cryoverdict.rules.effect import Effect, ParameterEffect, effect_record
from cryoverdict.rules.expression import Condition, Expression, Node, Statistic, statistics, text
from cryoverdict.rules.sentence import Sentence

Status = Literal["experimental", "stable", "deprecated"]
DecisionKind = Literal[
    "reject-micrographs",
    "micrograph-yield",
    "picking",
    "classification",
    "select-classes",
    "keep-particles",
    "further-round",
    "learning",
]
DECISION_KINDS: tuple[DecisionKind, ...] = get_args(DecisionKind)

# What a rule may point to, by the kind of decision.
DEFECTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "reject-micrographs": (
            "contamination",
            "film",
            "empty_no_ice",
            "empty_vitreous_ice",
            "crystalline_ice",
            "thick_ice",
            "drift",
            "bad_ctf",
            "broken_exposure",
            "low_dose",
        ),
        "micrograph-yield": ("empty", "aggregate"),
        "select-classes": (
            "empty",
            "noise",
            "edge",
            "clipped",
            "off_centre",
            "neighbours",
            "fuzzy",
            "overfit",
            "ice",
            "contamination",
            "duplicate_view",
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A named number of a rule, with what different groups use and where it comes from."""

    value: float
    unit: str
    spread: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a thing stands: file, line and column from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """Return ``file:line:column``."""
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A subject of which the author says what the rule must answer.

    ``values`` are features; ``statistics`` are data-set statistics by their canonical text, and
    ``data_set`` columns from which the others are computed. ``expected_value`` is what a
    parameter rule must come to.
    """

    answer: bool | None
    values: Mapping[str, float]
    statistics: Mapping[str, float] = field(default_factory=dict)
    data_set: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    expected_value: float | None = None
    note: str = ""
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A condition over measurements, its effect, and the grounds for both.

    ``units`` gives the unit of each feature it reads. ``changes`` says in words what a site has
    overridden. ``examples`` and ``origin`` have no say in decisions, so not in the digest either;
    examples hold for the author's thresholds, ``authored``, also where a site changed them.
    """

    id: str
    title: str
    decision: DecisionKind
    status: Status
    thresholds: Mapping[str, Threshold]
    condition: Condition
    effect: Effect
    units: Mapping[str, str]
    because: Sentence
    references: tuple[str, ...]
    false_alarms: tuple[str, ...]
    points_to: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    examples: tuple[Example, ...] = field(default=(), compare=False)
    authored: Mapping[str, float] = field(default_factory=dict, compare=False)
    origin: Origin = field(compare=False)

    @property
    def numbers(self) -> dict[str, float]:
        """The values of the thresholds."""
        return {name: threshold.value for name, threshold in self.thresholds.items()}

    @property
    def all_units(self) -> dict[str, str]:
        """The units of all names in the rule, features and thresholds."""
        return {**self.units, **{name: t.unit for name, t in self.thresholds.items()}}

    @property
    def value(self) -> Expression | None:
        """The value that a parameter rule gives; ``None`` for every other rule."""
        return self.effect.value if isinstance(self.effect, ParameterEffect) else None

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The condition, and the value of a parameter rule."""
        return (self.condition,) if self.value is None else (self.condition, self.value)

    @property
    def statistics(self) -> tuple[Statistic, ...]:
        """The data-set statistics that the rule asks for, each once."""
        return tuple(dict.fromkeys(s for node in self.nodes for s in statistics(node)))

    def record(self) -> dict[str, Any]:
        """Return the content that bears on decisions and their words, for digest and ``--json``."""
        return {
            "id": self.id,
            "title": self.title,
            "decision": self.decision,
            "status": self.status,
            "thresholds": {
                name: {
                    "value": threshold.value,
                    "unit": threshold.unit,
                    "spread": list(threshold.spread),
                    "source": threshold.source,
                }
                for name, threshold in sorted(self.thresholds.items())
            },
            "when": text(self.condition),
            **effect_record(self.effect),
            "points_to": list(self.points_to),
            "because": self.because.template,
            "references": list(self.references),
            "false_alarms": list(self.false_alarms),
            "changes": list(self.changes),
        }
