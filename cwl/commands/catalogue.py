"""``cryoverdict catalogue``: the database of labelled micrographs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.commands.catalogue_simulate import simulate
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.cwl.progress import ticker
from cryoverdict.cwl.summary import say

if TYPE_CHECKING:
    from cryoverdict.features.optics import Optics

catalogue_option = click.option(
    "--catalogue",
    "url",
    metavar="URL",
    envvar="CRYOVERDICT_CATALOGUE",
    help="SQLite file or postgresql:// URL.  [env CRYOVERDICT_CATALOGUE; default: a file in the "
    "user's data folder]",
)
rater_option = click.option(
    "--rater", default="unnamed", show_default=True, help="Who judged, where a list does not say."
)
date_option = click.option(
    "--date", "rated_on", metavar="YYYY-MM-DD", help="The day of judging, where it is known."
)
images_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("catalogue")
def command() -> None:
    """Keep labelled micrographs in a database, and make training sets of them."""


@command.command("import")
@click.argument("inputs", nargs=-1, metavar="[INPUTS]...")
@click.option("--kept", multiple=True, metavar="LIST", help="List of kept micrographs; repeatable.")
@click.option(
    "--rejected", multiple=True, metavar="LIST", help="List of rejected micrographs; repeatable."
)
@click.option(
    "--decisions",
    multiple=True,
    type=images_file,
    metavar="FILE",
    help="A decisions.jsonl about the imported micrographs; repeatable.",
)
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the images of a label list are, if not beside it.",
)
@click.option("--data-set", help="Name of the data set.  [default: the folder's name]")
@click.option("--source", default="", help="Where the data comes from, such as EMPIAR-10017.")
@click.option("--simulated", is_flag=True, help="The micrographs are simulated, not observed.")
@rater_option
@date_option
@catalogue_option
@options.optics_options
@options.threads_option
@options.quiet_option
@options.json_option
def import_(
    inputs: tuple[str, ...],
    kept: tuple[str, ...],
    rejected: tuple[str, ...],
    decisions: tuple[Path, ...],
    images: Path | None,
    data_set: str | None,
    source: str,
    simulated: bool,
    rater: str,
    rated_on: str | None,
    url: str | None,
    optics: Optics,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Measure micrographs and enter them with their labels.

    INPUTS are folders (of MicAssess-style class folders; with a labels.csv; of `simulate`; of
    images without labels), label lists (.csv with file and label; .pkl of MIFFI, which is never
    unpickled), images, patterns and micrograph lists. RELION or cryoSPARC selections come with
    --kept and --rejected. The same import again changes nothing, a killed one goes on where it
    was.
    """
    from collections import Counter

    from cryoverdict.engine.catalogue.database import open_catalogue
    from cryoverdict.engine.catalogue.import_plan import Sayings, check_rater, plan_import
    from cryoverdict.engine.catalogue.importing import import_entries
    from cryoverdict.engine.catalogue.rating import check_day

    if not (inputs or kept or rejected):
        msg = "give INPUTS, or --kept and --rejected lists"
        raise click.UsageError(msg)
    sayings = Sayings(
        data_set=data_set,
        source=source,
        origin="simulated" if simulated else "observed",
        rater=check_rater(rater),
        rated_on=check_day(rated_on, "--date"),
        optics=optics,
        images=images,
    )
    plan = plan_import(inputs, sayings, kept=kept, rejected=rejected, decisions=decisions)
    catalogue = open_catalogue(url)
    states: Counter[str] = Counter()
    labels, errors = 0, list(plan.unreadable.values())
    with ticker("importing", len(plan.entries), quiet) as tick:
        for one in import_entries(catalogue, plan.entries, threads=options.thread_count(threads)):
            states[one.state] += 1
            labels += one.labels
            errors += [one.error] if one.error else []
            tick(one)
    say(
        {
            "new": states["new"],
            "measured_anew": states["measured"],
            "labelled": states["labelled"],
            "unchanged": states["same"],
            "new_labels": labels,
            "unreadable": len(errors),
            "catalogue": catalogue.place,
        },
        notes=(*plan.notes, *errors),
        quiet=quiet,
        as_json=as_json,
    )
    if errors and len(errors) == len(plan.entries) + len(plan.unreadable):
        return ExitCode.BAD_INPUT
    return ExitCode.SOME_UNREADABLE if errors else ExitCode.DONE


@command.command()
@click.argument("lists", nargs=-1, type=images_file, metavar="[LISTS]...")
@click.option("--data-set", "data_sets", multiple=True, help="Only this data set; repeatable.")
@click.option(
    "--queue",
    type=images_file,
    help="Show only the micrographs of this CSV table, in its order: the queue.csv of `learn`.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port of the page.  [default: any]"
)
@rater_option
@date_option
@catalogue_option
@options.quiet_option
@options.json_option
def label(
    lists: tuple[Path, ...],
    data_sets: tuple[str, ...],
    queue: Path | None,
    port: int,
    rater: str,
    rated_on: str | None,
    url: str | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Label micrographs that are in the catalogue: from LISTS, or on a page in the browser.

    LISTS are CSV tables with file and label, or MIFFI pickles; files are found by name. Without
    LISTS a page is served to this machine alone: one micrograph at a time, by keyboard, with undo.
    """
    from cryoverdict.engine.catalogue.database import open_catalogue
    from cryoverdict.engine.catalogue.import_plan import check_rater
    from cryoverdict.engine.catalogue.label_list import read_label_list, read_queue
    from cryoverdict.engine.catalogue.rating import check_day

    rater, rated_on = check_rater(rater), check_day(rated_on, "--date")
    catalogue = open_catalogue(url)
    if not lists:
        order = None if queue is None else read_queue(queue)
        facts = _label_on_page(catalogue, data_sets, order, port, rater, rated_on)
        say(facts, quiet=quiet, as_json=as_json)
        return ExitCode.DONE
    if len(data_sets) > 1 or queue is not None:
        msg = "with LISTS give one --data-set at most, and no --queue"
        raise click.UsageError(msg)
    from cryoverdict.engine.catalogue.labelling import attach_labels

    lines = [x for file in lists for x in read_label_list(file, rater=rater, rated_on=rated_on)]
    done = attach_labels(catalogue, lines, data_set=data_sets[0] if data_sets else None)
    say(
        {"new_labels": done.added, "known_labels": done.known, "not_found": len(done.lost)},
        notes=done.lost,
        quiet=quiet,
        as_json=as_json,
    )
    if done.lost and not done.added + done.known:
        return ExitCode.BAD_INPUT
    return ExitCode.SOME_UNREADABLE if done.lost else ExitCode.DONE


@command.command()
@catalogue_option
@options.json_option
def stats(url: str | None, as_json: bool) -> None:
    """Say what the catalogue holds, and how far its raters agree."""
    from cryoverdict.engine.catalogue.database import open_catalogue
    from cryoverdict.engine.catalogue.statistics import statistics

    facts = statistics(open_catalogue(url))
    say(facts if as_json else _told(facts), quiet=False, as_json=as_json)


@command.command()
@click.option("--data-set", "data_sets", multiple=True, help="Only this data set; repeatable.")
@click.option(
    "--origin",
    type=click.Choice(("observed", "simulated")),
    help="Only observed or only simulated micrographs.",
)
@click.option("--rater", "raters", multiple=True, help="Only this rater's labels; repeatable.")
@click.option(
    "--older-measurements",
    is_flag=True,
    help="Also take what an older version measured, if it measured the features of today.",
)
@catalogue_option
@options.output_option
@options.quiet_option
@options.json_option
def export(
    data_sets: tuple[str, ...],
    origin: Any,
    raters: tuple[str, ...],
    older_measurements: bool,
    url: str | None,
    output: Path,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write a labelled set for each data set, as `cryoverdict train` reads them.

    Where raters differ the majority counts, and the label's weight says how large it was.
    """
    from cryoverdict.engine.catalogue.database import open_catalogue
    from cryoverdict.engine.catalogue.exporting import Choice, export_sets
    from cryoverdict.features.families import micrograph_features

    choice = Choice(data_sets=data_sets, origin=origin, raters=raters, older=older_measurements)
    done = export_sets(open_catalogue(url), output, choice, micrograph_features())
    say(
        {
            "sets": len(done.folders),
            "keep": done.kept,
            "reject": done.rejected,
            "left_out": sum(done.left_out.values()),
            "output": str(output),
        },
        notes=[f"left out, {why}: {count}" for why, count in sorted(done.left_out.items())],
        quiet=quiet,
        as_json=as_json,
    )


@command.command()
@click.argument("other", metavar="OTHER")
@catalogue_option
@options.quiet_option
@options.json_option
def merge(other: str, url: str | None, quiet: bool, as_json: bool) -> None:
    """Add what the catalogue OTHER has; what is there already stays as it is."""
    from cryoverdict.engine.catalogue.database import open_catalogue
    from cryoverdict.engine.catalogue.merging import merge as merge_catalogues
    from cryoverdict.engine.catalogue.merging import other_catalogue

    source = other_catalogue(other)
    catalogue = open_catalogue(url)
    done = merge_catalogues(catalogue, source)
    notes = [f"{done.elsewhere} micrographs stay in the data set they were in"]
    say(
        {
            **{f"new_{name}": count for name, count in sorted(done.added.items())},
            "catalogue": catalogue.place,
        },
        notes=notes if done.elsewhere else (),
        quiet=quiet,
        as_json=as_json,
    )


def _label_on_page(
    catalogue: Any,
    data_sets: tuple[str, ...],
    queue: tuple[str, ...] | None,
    port: int,
    rater: str,
    rated_on: str | None,
) -> dict[str, int]:
    """Serve the page until its reader or Ctrl-C ends it."""
    import datetime

    from cryoverdict.engine.catalogue.labelling import begin_labelling
    from cryoverdict.engine.catalogue.labelling_server import LabellingServer

    today = rated_on or datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    session = begin_labelling(
        catalogue, rater=rater, rated_on=today, data_sets=data_sets, queue=queue
    )
    with LabellingServer(session, port=port) as server:
        click.echo(f"label {len(session.waiting)} micrographs at {server.url}", err=True)
        click.echo("q on the page or Ctrl-C here ends; every label is kept at once", err=True)
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            click.echo("", err=True)
    left = len(session.waiting)
    return {"labelled": len(session.given), "undone": session.undone, "waiting": left}


def _told(facts: dict[str, Any]) -> dict[str, str]:
    """Return the statistics as words, a line for each."""
    told: dict[str, str] = {}
    for name, value in facts.items():
        match value:
            case dict() if name == "data_sets":
                for number, (key, counts) in enumerate(value.items(), start=1):
                    told[f"data set {number}"] = f"{key}: {_counts(counts)}"
            case dict() if name == "kappa":
                for question, found in value.items():
                    told[f"kappa of {question}"] = (
                        f"{_kappa(found['fleiss'])} over {found['micrographs']} micrographs"
                    )
                    told |= {
                        f"kappa of {question}, pair {number}": (
                            f"{pair}: {_kappa(one['cohen'])} over {one['micrographs']} micrographs"
                        )
                        for number, (pair, one) in enumerate(found["pairs"].items(), start=1)
                    }
            case dict():
                told[name] = _counts(value) or "none"
            case _:
                told[name] = str(value)
    return told


def _counts(counts: dict[str, int]) -> str:
    """Return counts as words."""
    return ", ".join(f"{key} {count}" for key, count in counts.items())


def _kappa(value: float | None) -> str:
    """Return a kappa as words."""
    return "not defined" if value is None else f"{value:.3f}"


command.add_command(simulate)
