"""A data set made up for pages: decisions, table, rules, ledger and pictures of any number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import exp, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.feature import Absent, Answer, Feature, Given, Unit
from cryoverdict.features.table import FeatureTable
from cryoverdict.reports.pictures import PagePictures

DEFECTS = ("crystalline_ice", "contamination", "film", "drift", "bad_ctf", "thick_ice")
AREA_KINDS = ("usable", "film", "contamination", "edge")
# Name, unit, better, value of a good and of a bad micrograph, spread, meaning.
MEASURED: tuple[tuple[str, Unit, str, float, float, float, str], ...] = (
    ("ctf_resolution_a", "A", "lower", 4.2, 7.9, 1.1, "Where the CTF fit ends to hold."),
    ("defocus_um", "um", "neither", 1.6, 1.7, 0.5, "Mean underfocus."),
    ("astigmatism_a", "A", "lower", 210.0, 520.0, 140.0, "Difference of the two defoci."),
    ("ctf_fit_score", "1", "higher", 0.16, 0.07, 0.03, "Correlation of the rings with the fit."),
    ("ice_ratio", "1", "lower", 1.02, 1.35, 0.13, "Power between 3.5 and 3.9 Å, and beside it."),
    ("usable_fraction", "1", "higher", 0.94, 0.71, 0.08, "Part of the area that can be used."),
    ("film_fraction", "1", "lower", 0.01, 0.12, 0.05, "Part of the area under carbon film."),
    ("grey_contrast", "1", "neither", 0.31, 0.24, 0.04, "Standard deviation after a low pass."),
    ("blob_strength", "1", "higher", 2.1, 1.2, 0.4, "Blobs beyond a phase-randomised copy."),
    ("drift_ratio", "1", "lower", 1.05, 1.4, 0.14, "Directional loss of high frequencies."),
    ("motion_total_a", "A", "lower", 18.0, 41.0, 9.0, "Accumulated motion over all frames."),
    ("spot_count", "count", "lower", 0.0, 6.0, 2.0, "Spots in the ice band."),
)
RULES: tuple[dict[str, str], ...] = (
    {"id": "ctf-resolution-poor", "title": "The CTF fit ends early", "effect": "log-odds −1.5"},
    {"id": "ice-ring-strong", "title": "Strong ice ring", "effect": "log-odds −2.0"},
    {"id": "film-over-half", "title": "Film over most of the area", "effect": "reject"},
    {"id": "drift-directional", "title": "Rings vanish along one direction", "effect": "−1.2"},
    {"id": "motion-large", "title": "Moved more than its neighbours", "effect": "log-odds −0.8"},
    {"id": "grey-typical", "title": "Grey values as in the data set", "effect": "log-odds +0.4"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """What `write_micrograph_page` asks for, of ``number`` micrographs."""

    number: int
    decisions: tuple[dict[str, Any], ...]
    table: FeatureTable
    features: tuple[Feature, ...]
    rules: tuple[dict[str, Any], ...]
    ledger: dict[str, Any]

    def page(self) -> dict[str, Any]:
        """Return the arguments of the page, without its pictures."""
        return {
            "decisions": self.decisions,
            "table": self.table,
            "features": self.features,
            "rules": self.rules,
            "ledger": self.ledger,
            "area_kinds": AREA_KINDS,
            "title": f"Simulated session of {self.number} micrographs",
            "notes": ("The ice band lies beyond Nyquist for 3 micrographs.",),
        }


def make_data_set(number: int, *, unreadable: int = 2, seed: int = 7) -> DataSet:
    """Return a data set; the same seed gives the same one."""
    rng = np.random.default_rng(seed)
    names = [f"Micrographs/FoilHole_{29721000 + 3 * i}_Data_{i % 9}.mrc" for i in range(number)]
    features = tuple(_feature(*line) for line in MEASURED)
    decisions, rows = [], {}
    for i, name in enumerate(names):
        bad = bool(rng.random() < 0.22)
        rows[name] = _answers(rng, bad=bad, without_ice=i % 40 == 11)
        decisions.append(_decision(rng, name, rows[name], bad=bad))
    table = FeatureTable.of(rows, features)
    errors = [f"Micrographs/broken_{i}.mrc" for i in range(unreadable)]
    items = [
        {"item": d["subject"], "bin": "kept" if d["outcome"] == "keep" else "rejected"}
        for d in decisions
    ]
    items += [{"item": name, "bin": "error"} for name in errors]
    reason = "truncated: the header promises 4,096 rows, the file holds 1,024"
    bins = {b: sum(item["bin"] == b for item in items) for b in ("kept", "rejected", "error")}
    return DataSet(
        number=number,
        decisions=tuple(decisions),
        table=table,
        features=features,
        rules=tuple(_with_counts(rule, decisions) for rule in RULES),
        ledger={
            "bins": bins,
            "items": [i | {"reason": reason if i["bin"] == "error" else ""} for i in items],
        },
    )


def make_pictures(number: int) -> Iterator[PagePictures]:
    """Return ``number`` different pictures, made from a few that are turned and mirrored."""
    for i in range(number):
        made = _picture(i % 12)
        thumbnail, area = made.thumbnail, made.area
        assert thumbnail is not None
        assert area is not None
        turn = (i // 12) % 4
        yield PagePictures(
            thumbnail=np.ascontiguousarray(np.rot90(thumbnail, turn)),
            spectrum=made.spectrum,
            profile=made.profile,
            ctf=made.ctf,
            area=np.ascontiguousarray(np.rot90(area, turn)),
        )


def logit(probability: float) -> float:
    """Return the log-odds of a probability."""
    return log(probability / (1.0 - probability))


def _feature(
    name: str, unit: Unit, better: Any, good: float, bad: float, spread: float, meaning: str
) -> Feature:
    """Return a feature that only has a description."""
    return Feature(
        name=name,
        unit=unit,
        better=better,
        meaning=meaning,
        source="made up for tests",
        function=lambda _: Absent("made up"),
    )


def _answers(rng: np.random.Generator, *, bad: bool, without_ice: bool) -> dict[str, Answer]:
    """Return the measurements of one micrograph."""
    answers: dict[str, Answer] = {}
    share = rng.random()
    for name, unit, _, good, worse, spread, _ in MEASURED:
        centre = good + share * (worse - good) * 1.4 if bad else good
        value = abs(float(centre + spread * rng.standard_normal()))
        if unit == "count":
            value = float(round(value))
        if name.endswith("_fraction"):
            value = min(value, 1.0)
        answers[name] = Given(value) if name == "motion_total_a" else value
    if without_ice:
        answers["ice_ratio"] = Absent("the ice band lies beyond Nyquist (pixel size 2.1 Å)")
    return answers


def _decision(
    rng: np.random.Generator, name: str, answers: dict[str, Answer], *, bad: bool
) -> dict[str, Any]:
    """Return a decision record whose evidence adds up to its probability."""
    evidence = []
    sign = -1.0 if bad else 1.0
    for rule in RULES:
        if rng.random() < (0.5 if bad else 0.12) and rule["effect"] != "reject":
            text = f"{rule['title']}: beyond the limit of this data set."
            weight = float(np.round(-0.3 - 1.6 * rng.random(), 2))
            evidence.append(_evidence("rule", rule["id"], weight, 1.31, "1", text))
    for measured, unit, *_ in MEASURED:
        answer = answers[measured]
        if isinstance(answer, float):
            weight = float(rng.normal(0.22 * sign, 0.4))
            text = f"{measured} is {answer:.3g}, the model's coefficient times its distance."
            evidence.append(_evidence("model", measured, weight, answer, unit, text))
    prior = 1.1
    gates = []
    if bad and rng.random() < 0.15:
        rest = -6.0 - prior - sum(e["log_odds"] for e in evidence)
        gates = ["film-over-half"]
        text = "Film covers 64 % of the area; more than half leaves too little to pick from."
        evidence.insert(0, _evidence("gate", "film-over-half", min(rest, 0.0), 0.64, "1", text))
    log_odds = prior + sum(e["log_odds"] for e in evidence)
    favourable = 1.0 / (1.0 + exp(-log_odds))
    keep = log_odds >= 0
    review = abs(log_odds) < 1.2
    chosen = [] if keep else sorted(rng.choice(len(DEFECTS), 1 + int(rng.random() < 0.3), False))
    missing = [n for n, a in answers.items() if isinstance(a, Absent)]
    turning = {"text": "Would be kept if ctf_resolution_a were 5.1 Å instead of 7.4 Å."}
    return {
        "kind": "reject-micrographs",
        "subject": name,
        "outcome": "keep" if keep else "reject",
        "probability": favourable if keep else 1.0 - favourable,
        "favourable_probability": favourable,
        "grade": ("great" if log_odds > 3 else "decent") if keep else None,
        "defects": [
            {"name": DEFECTS[int(k)], "probability": round(0.9 - 0.2 * i, 2)}
            for i, k in enumerate(chosen)
        ],
        "review": review,
        "review_reasons": ["its probability is near the threshold"] if review else [],
        "gates": gates,
        "prior_log_odds": prior,
        "evidence": evidence,
        "could_not_say": [{"rule": "ice-ring-strong", "missing": missing}] if missing else [],
        "counterfactual": None if keep else turning | {"changes": {"ctf_resolution_a": 5.1}},
        "digests": {"features": "f" * 64, "rules": "a" * 64, "model": "c" * 64},
        "version": "0.1.0",
    }


def _evidence(
    source: str, name: str, log_odds: float, value: float, unit: str, text: str
) -> dict[str, Any]:
    """Return one piece of evidence as decisions keep it."""
    return {
        "source": source,
        "name": name,
        "log_odds": log_odds,
        "value": value,
        "unit": unit,
        "text": text,
    }


def _with_counts(rule: dict[str, str], decisions: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a rule with how often it spoke."""
    spoke = [
        {e["name"] for e in d["evidence"] if e["source"] in ("rule", "gate")} for d in decisions
    ]
    silent = sum(rule["id"] == c["rule"] for d in decisions for c in d["could_not_say"])
    return rule | {
        "because": "Made up, after what an expert would say of it.",
        "fired": sum(rule["id"] in names for names in spoke),
        "fired_alone": sum(names == {rule["id"]} for names in spoke),
        "could_not_say": silent,
    }


@cache
def _picture(seed: int) -> PagePictures:
    """Return pictures that look like a micrograph with particles, and its power spectrum."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:192, :256]
    grey = rng.normal(0.0, 1.0, (192, 256))
    for centre in rng.uniform((0, 0), (192, 256), (70, 2)):
        grey -= 2.2 * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / 12.0)
    area = np.zeros((192, 256), np.uint8)
    if seed % 3 == 0:
        film = x + 0.4 * y < 60 + 8 * seed
        grey[film] -= 2.0
        area[film] = 1
    spot = (y - 110) ** 2 + (x - 180) ** 2 < (8 + 2 * seed) ** 2
    if seed % 4 == 1:
        grey[spot] -= 5.0
        area[spot] = 2
    fy, fx = np.mgrid[-128:128, -128:128] / 256.0
    defocus = 60.0 + 9.0 * seed
    rings = np.sin(defocus * 6.0 * (fx**2 + 1.1 * fy**2)) ** 2 * np.exp(-14 * (fx**2 + fy**2))
    spectrum = 2.0 * rings + rng.gamma(8.0, 0.1, rings.shape)
    frequency = np.linspace(0.0, 0.5, 257)[1:]
    fit = np.sin(defocus * 6.3 * frequency**2) ** 2
    background = 40.0 * np.exp(-9.0 * frequency) + 2.0
    power = background * (1.0 + 0.9 * fit * np.exp(-14.0 * frequency**2))
    return PagePictures(
        thumbnail=_grey(grey),
        spectrum=_grey(spectrum),
        profile={
            "frequency_per_a": frequency / 1.1,
            "power": power * rng.normal(1.0, 0.015, frequency.shape),
            "background": background,
            "fit": fit,
            "agreement": 1.05 / (1.0 + np.exp((frequency - 0.3) * 40.0)) - 0.05,
        },
        ctf=f"defocus {1.1 + 0.1 * seed:.2f} µm, astigmatism {180 + 20 * seed} Å, fit to 4.1 Å",
        area=area,
    )


def _grey(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return values as 8-bit grey between their 0.5 and 99.5 % quantiles."""
    low, high = np.quantile(values, (0.005, 0.995))
    return np.asarray(np.clip((values - low) / (high - low), 0, 1) * 255, dtype=np.uint8)
