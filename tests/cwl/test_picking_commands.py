"""``decide-picking`` and ``pick`` from the command line: files, summary, exit codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryoverdict.cwl.cli import run
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.engine.parameter_decision import Estimate
from cryoverdict.engine.parameter_file import read_parameter_file
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picking_survey import PickingSurvey
from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.picking_files.coordinate_star import read_coordinates
from cryoverdict.engine.picking_run import deciding, picking_all

SUBJECTS = ("mics/m0.mrc", "mics/m1.mrc", "mics/m2.mrc")


def survey(
    subjects: Sequence[PickingMicrograph],
    *,
    given_diameter_a: float | None = None,
    class_averages: Templates | None = None,
    false_discovery_rate: float = 0.0,
    threads: int = 1,
    seed: int = 0,
) -> PickingSurvey:
    """Return a survey that found particles of 100 Å."""
    return PickingSurvey(
        facts={
            "mean_pixel_size_a": 2.0,
            "smallest_field_a": 256.0,
            "ctf_known_fraction": 1.0,
            "null_share": 0.03,
            "particle_evidence": 30.0,
            "measured_diameter_a": 60.0,
            **({} if given_diameter_a is None else {"given_diameter_a": given_diameter_a}),
        },
        estimates={
            "diameter_a": Estimate(value=60.0, low=55.0, high=66.0, text="Measured."),
            "score_threshold": Estimate(value=16 * false_discovery_rate, text="At the rate."),
        },
        findings=("One size lives in the data.",),
        curves={
            "diameters_a": np.linspace(20, 200, 10),
            "size_evidence": np.arange(10.0),
            "fdr_scores": np.array([3.0, 4.0, 5.0]),
            "fdr": np.array([0.35, 0.28, 0.01]),
            "average": np.eye(8),
        },
        subjects=tuple(s.subject for s in subjects),
        templates=class_averages,
    )


def pick(
    subject: PickingMicrograph, parameters: PickingParameters, templates: Templates | None
) -> Picks:
    """Return twelve picks, shifted by the number of templates."""
    k = np.arange(12.0)
    shift = 0 if templates is None else len(templates.images)
    return Picks(
        subject=subject.subject,
        x_px=20 + 8 * k + shift,
        y_px=30 + 5 * k,
        score=parameters.score_threshold + 12 - k,
        diameter_a=np.full(12, parameters.diameter_a),
    )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with three micrographs, stand-ins for the algorithms."""
    (tmp_path / "mics").mkdir()
    for k in range(3):
        pixels = np.random.default_rng(k).normal(0, 1, (128, 160)).astype(np.float32)
        mrcfile.write(tmp_path / "mics" / f"m{k}.mrc", pixels, voxel_size=2.0)
    monkeypatch.setattr(deciding, "survey", survey)
    monkeypatch.setattr(picking_all, "pick_micrograph", pick)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def decide(*arguments: str) -> int:
    """Run ``decide-picking`` on the micrographs."""
    return run(["decide-picking", "mics", "--output", "how", "--threads", "1", *arguments])


def picked(*arguments: str) -> int:
    """Run ``pick`` with the decision of `decide`."""
    given = ["--parameters", "how/picking.json", "--output", "where", "--threads", "1"]
    return run(["pick", "mics", *given, *arguments])


def test_a_decision_is_written_with_its_words(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decide("--json") == ExitCode.DONE
    summary = json.loads(capsys.readouterr().out)
    settled = read_parameter_file(place / "how" / "picking.json", "picking")
    parameters = PickingParameters.from_settings(settled.parameters)
    assert parameters.diameter_a == summary["diameter_a"] == 60.0
    assert parameters.score_threshold == 4.0, "the survey is asked with the rules' rate, 0.25"
    assert settled.templates is None
    record = json.loads((place / "how" / "decisions.jsonl").read_text())
    assert record["kind"] == "picking"
    assert record["findings"] == ["One size lives in the data."]
    ledger = json.loads((place / "how" / "ledger.json").read_text())
    assert ledger["bins"] == {"kept": 3, "rejected": 0, "error": 0}
    html = (place / "how" / "report" / "index.html").read_text()
    assert "Evidence for each size" in html
    assert "picking-lowpass-usual" in html
    shutil.rmtree(place / "how" / "report")
    assert run(["report", str(place / "how")]) == ExitCode.DONE
    assert (place / "how" / "report" / "index.html").read_text() == html


def test_a_given_diameter_is_followed_and_compared(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decide("--diameter-a", "90", "--json") == ExitCode.DONE
    summary = json.loads(capsys.readouterr().out)
    assert summary["diameter_a"] == 90.0
    assert summary["review"] == 1
    said = "Given is a diameter of 90 Å, but the images alone say 60 Å."
    assert said in summary["notes"]
    assert "given 90 Å" in (place / "how" / "report" / "index.html").read_text()


def test_a_site_may_change_a_rule(place: Path) -> None:
    site = place / "site"
    site.mkdir()
    (site / "ours.yaml").write_text("override: picking-spacing-usual\nthresholds: {apart: 0.9}\n")
    assert decide("--rules", "site") == ExitCode.DONE
    settled = read_parameter_file(place / "how" / "picking.json", "picking")
    assert settled.parameters["spacing_a"] == pytest.approx(54.0)


def test_class_averages_become_templates_that_pick_uses(place: Path) -> None:
    images = np.zeros((2, 16, 16), np.float32)
    images[:, 5:11, 5:11] = 1.0
    with mrcfile.new("classes.mrcs") as file:
        file.set_data(images)
        file.set_image_stack()
        file.voxel_size = 4.0
    Path("good.star").write_text("data_\nloop_\n_rlnReferenceImage\n000001@classes.mrcs\n")
    assert decide("--class-averages", "good.star") == ExitCode.DONE
    assert read_parameter_file(place / "how" / "picking.json", "picking").templates is not None
    assert picked("--quiet") == ExitCode.DONE
    found = read_coordinates(place / "where" / "coordinates" / "m0_autopick.star", "m0")
    assert found.x_px[0] == 21.0
    assert decide() == ExitCode.DONE
    assert not (place / "how" / "templates.mrcs").exists()


def test_picks_are_written_for_the_next_step(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decide("--quiet") == ExitCode.DONE
    assert picked("--json", "--box") == ExitCode.DONE
    summary = json.loads(capsys.readouterr().out)
    assert (summary["particles"], summary["kept"], summary["error"]) == (36, 3, 0)
    star = (place / "where" / "autopick.star").read_text()
    assert "mics/m1.mrc coordinates/m1_autopick.star" in star
    # A box of 1.5 diameters of 60 Å at 2 Å a pixel, 46 pixels as an even number.
    box = (place / "where" / "coordinates" / "m0.box").read_text().splitlines()[0]
    assert box.split() == ["-3", "7", "46", "46"]
    html = (place / "where" / "report" / "index.html").read_text()
    assert "36 particles in 3 micrographs." in html
    assert "Evidence for each size" in html
    picked("--json")
    assert json.loads(capsys.readouterr().out)["picked_before"] == 3
    assert not (place / "where" / "coordinates" / "m0.box").exists()


def test_an_unreadable_micrograph_is_an_entry_and_exit_code_4(place: Path) -> None:
    assert decide("--quiet") == ExitCode.DONE
    (place / "mics" / "m1.mrc").write_bytes(b"no")
    assert picked("--quiet") == ExitCode.SOME_UNREADABLE
    ledger = json.loads((place / "where" / "ledger.json").read_text())
    assert [i["bin"] for i in ledger["items"]] == ["kept", "error", "kept"]
    for k in (0, 2):
        (place / "mics" / f"m{k}.mrc").write_bytes(b"no")
    assert picked("--quiet") == ExitCode.BAD_INPUT


def test_given_picks_are_taken_and_agree_with_the_built_in(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decide("--quiet") == ExitCode.DONE
    rows = "\n".join(f"{20 + 8 * k} {30 + 5 * k}" for k in range(0, 12, 4))
    for k in range(3):
        star = f"data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n{rows}\n"
        (place / f"m{k}_manualpick.star").write_text(star)
    given = [f"--given-picks=m{k}_manualpick.star" for k in range(3)]
    assert picked("--json", *given) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["particles"] == 9
    assert picked("--json", "--picker", "builtin", *given) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["particles"] == 9
    html = (place / "where" / "report" / "index.html").read_text()
    assert "found by too few pickers" in html


def test_an_absent_program_is_exit_code_5(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decide("--quiet") == ExitCode.DONE
    monkeypatch.setenv("PATH", str(place))
    assert picked("--picker", "topaz") == ExitCode.PROGRAM_FAILED
    assert "topaz is not on the PATH" in capsys.readouterr().err


def test_parameters_of_another_step_are_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "how").mkdir()
    (place / "how" / "picking.json").write_text('{"kind": "classification", "parameters": {}}')
    assert picked() == ExitCode.BAD_INPUT
    assert "holds classification parameters" in capsys.readouterr().err


def test_a_trial_stops_at_a_subset(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert decide("--quiet") == ExitCode.DONE
    assert picked("--particles", "20", "--json") == ExitCode.DONE
    summary = json.loads(capsys.readouterr().out)
    assert (summary["particles"], summary["kept"], summary["rejected"]) == (24, 2, 1)


def test_a_trial_takes_its_number_from_the_decision(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decide("--quiet") == ExitCode.DONE
    decision = json.loads((place / "how" / "picking.json").read_text())
    assert decision["parameters"]["trial_particles"] == 4000
    decision["parameters"]["trial_particles"] = 10
    (place / "how" / "picking.json").write_text(json.dumps(decision))
    assert picked("--trial", "--json") == ExitCode.DONE
    summary = json.loads(capsys.readouterr().out)
    assert (summary["kept"], summary["rejected"]) == (1, 2)
    # A number of one's own goes before that of the decision.
    assert picked("--trial", "--particles", "20", "--json") == ExitCode.DONE
    summary = json.loads(capsys.readouterr().out)
    assert (summary["kept"], summary["rejected"]) == (2, 1)


def test_micrographs_that_are_all_gone_are_named(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "gone.star").write_text("data_\nloop_\n_rlnMicrographName\nmics/gone.mrc\n")
    arguments = ["decide-picking", "gone.star", "--output", "how", "--pixel-size-a", "2"]
    assert run(arguments) == ExitCode.BAD_INPUT
    said = capsys.readouterr().err
    assert said.startswith("error: none of the 1 micrographs is there; mics/gone.mrc: file not")


def test_given_picks_of_other_micrographs_are_noted(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decide("--quiet") == ExitCode.DONE
    for name in ("m0", "other"):
        star = "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n50 50\n"
        (place / f"{name}_manualpick.star").write_text(star)
    given = [f"--given-picks={name}_manualpick.star" for name in ("m0", "other")]
    assert picked("--json", *given) == ExitCode.DONE
    notes = json.loads(capsys.readouterr().out)["notes"]
    wanted = "1 names among the given picks belong to no micrograph of the list, such as other"
    assert wanted in notes


def test_the_folder_of_another_step_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decide("--quiet") == ExitCode.DONE
    before = (place / "how" / "decisions.jsonl").read_bytes()
    assert picked("--output", "how") == ExitCode.BAD_INPUT
    assert "how: holds the output of decide-picking" in capsys.readouterr().err
    assert (place / "how" / "decisions.jsonl").read_bytes() == before


def test_the_page_shows_no_decision_that_was_not_followed(place: Path) -> None:
    assert decide("--quiet") == ExitCode.DONE
    page = place / "where" / "report" / "index.html"
    assert picked("--quiet") == ExitCode.DONE
    followed = page.read_text()
    assert "after the decision beside it" not in followed
    path = place / "how" / "picking.json"
    record = json.loads(path.read_text())
    record["parameters"]["spacing_a"] += 1.0
    path.write_text(json.dumps(record))
    assert picked("--quiet") == ExitCode.DONE
    assert "Changed in picking.json after the decision beside it: spacing_a." in page.read_text()
    # Decisions of another step beside it are no reason to fail after all is picked.
    (place / "how" / "decisions.jsonl").write_text('{"kind": "reject-micrographs"}\n')
    assert picked("--quiet") == ExitCode.DONE
    assert "holds no decision on picking" in page.read_text()


def test_class_averages_that_show_nothing_make_no_templates(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(0).normal(0, 1, (2, 16, 16)).astype(np.float32)
    mrcfile.write(place / "classes.mrcs", images, voxel_size=4.0)
    monkeypatch.setattr(deciding, "class_sizes", lambda averages: None)
    assert decide("--json", "--class-averages", "classes.mrcs") == ExitCode.DONE
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert "The class averages show no particle: they were left aside." in notes
    assert not (place / "how" / "templates.mrcs").exists()
