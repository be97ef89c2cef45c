"""What stands in a rule file: its structure, checked by pydantic and published as JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    RootModel,
    StringConstraints,
    Tag,
)

from cryoverdict.features.feature import Unit
from cryoverdict.rules.rule import DecisionKind, Status

STRONGEST_LOG_ODDS = 10.0
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
NumberName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
LogOddsNumber = Annotated[float, Field(ge=-STRONGEST_LOG_ODDS, le=STRONGEST_LOG_ODDS)]


class Entry(BaseModel):
    """What all parts of a file have in common: no unknown keys, no silent conversion."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _spread_tag(value: Any) -> str:
    """Return whether a spread is a list, so that only the errors of one form are reported."""
    return "list" if isinstance(value, list) else "text"


SpreadEntry = Annotated[
    Annotated[Text, Tag("text")] | Annotated[list[Text], Field(min_length=1), Tag("list")],
    Discriminator(_spread_tag),
]


class ThresholdEntry(Entry):
    """A named number, so that a site can change it without touching the condition."""

    value: float = Field(description="The number itself.")
    unit: Unit = Field(description='Its unit, as features name them; "1" for a pure number.')
    spread: SpreadEntry = Field(
        description="What different groups use, or how far the number travels."
    )
    source: Text = Field(description="Where this value comes from.")


class LogOddsEntry(Entry):
    """A weight: positive speaks for the favourable outcome, negative against it."""

    log_odds: LogOddsNumber


class ParameterEntry(Entry):
    """A parameter and what it is set to or bounded by."""

    parameter: NumberName
    value: Text = Field(description="An expression over features and thresholds.")
    unit: Unit


class SetEntry(Entry):
    """The default of a parameter."""

    set: ParameterEntry


class AtLeastEntry(Entry):
    """A lower bound of a parameter."""

    at_least: ParameterEntry


class AtMostEntry(Entry):
    """An upper bound of a parameter."""

    at_most: ParameterEntry


def _effect_tag(value: Any) -> str | None:
    """Return which kind of effect is meant, so that its own errors are reported."""
    if isinstance(value, str):
        return "word"
    if isinstance(value, dict) and len(value) == 1:
        return str(next(iter(value)))
    return None


EffectEntry = Annotated[
    Annotated[Literal["reject", "flag"], Tag("word")]
    | Annotated[LogOddsEntry, Tag("log_odds")]
    | Annotated[SetEntry, Tag("set")]
    | Annotated[AtLeastEntry, Tag("at_least")]
    | Annotated[AtMostEntry, Tag("at_most")],
    Discriminator(_effect_tag),
]


class ExampleEntry(Entry):
    """A subject: the values of features, and of data-set statistics such as robust_z(x)."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, float]

    data_set: dict[str, list[float | None]] = Field(
        default={}, description="Columns of a small data set, from which statistics are taken."
    )
    expected_value: float | None = Field(
        default=None, description="What a parameter rule must come to."
    )
    note: str = Field(default="", description="What this example shows.")


class ExamplesEntry(Entry):
    """The rule's own tests; together they must notice any change of a comparison."""

    fires: list[ExampleEntry] = Field(min_length=1)
    silent: list[ExampleEntry] = []
    could_not_say: list[ExampleEntry] = []


class RuleEntry(Entry):
    """One rule: one file."""

    id: RuleId = Field(description="Name in kebab-case, the same everywhere.")
    replaces: RuleId | None = Field(
        default=None, description="The shipped rule that this one takes the place of."
    )
    title: Text = Field(description="What the rule finds, in a few words.")
    decision: DecisionKind = Field(description="The kind of decision it takes part in.")
    status: Status
    thresholds: dict[NumberName, ThresholdEntry] = {}
    when: Text = Field(description="The condition; «always» for a rule without one.")
    effect: EffectEntry
    points_to: list[Text] = Field(default=[], description="The defects it is a sign of.")
    because: Text = Field(description="The sentence a report prints; {feature} shows a value.")
    references: list[Text] = Field(min_length=1)
    false_alarms: list[Text] = Field(min_length=1, description="Where the author expects it wrong.")
    examples: ExamplesEntry


class OverrideEntry(Entry):
    """What a site changes in a rule without copying it."""

    override: RuleId = Field(description="The id of the rule that is changed.")
    enabled: bool | None = Field(default=None, description="false switches the rule off.")
    thresholds: dict[NumberName, float] = Field(
        default={}, description="New values, in the units of the rule."
    )
    log_odds: LogOddsNumber | None = Field(default=None, description="A new weight.")
    reason: Text | None = Field(default=None, description="Why; printed beside the change.")


class RuleFile(RootModel[RuleEntry | OverrideEntry]):
    """A rule, or an override of one."""


def rule_schema() -> dict[str, Any]:
    """Return the JSON Schema of a rule file, as published in ``rule.schema.json``."""
    schema = RuleFile.model_json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {**head, **schema, "title": "A cryoverdict rule file"}
