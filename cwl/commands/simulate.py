"""Make simulated micrographs whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.progress import ticker
from cryoverdict.cwl.summary import say


@click.command("simulate")
@click.option(
    "--spec",
    "spec_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="YAML",
    help="What to simulate; without it, the demonstration set.",
)
@click.option("--random", "at_random", is_flag=True, help="Draw a whole session from the seed.")
@click.option("--micrographs", type=click.IntRange(min=1), help="Number, if not the spec's own.")
@click.option("--masks", is_flag=True, help="Write the true usable areas too.")
@options.output_option
@options.seed_option
@options.threads_option
@options.quiet_option
@options.json_option
def command(
    spec_path: Path | None,
    at_random: bool,
    micrographs: int | None,
    masks: bool,
    output: Path,
    seed: int,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Simulate a session: micrographs, and the truth about each of them and every particle.

    Writes *.mrc, truth_micrographs.csv and truth_particles.star.
    """
    from cryoverdict.engine.simulation.data_set import demonstration, random_data_set
    from cryoverdict.engine.simulation.data_set_files import write_data_set
    from cryoverdict.engine.simulation.spec_file import read_spec

    if spec_path is not None and at_random:
        msg = "--spec and --random exclude each other"
        raise click.UsageError(msg)
    if spec_path is not None:
        spec = read_spec(spec_path)
    else:
        spec = random_data_set(seed) if at_random else demonstration()
    if micrographs is not None:
        spec = replace(spec, micrographs=micrographs)
    with ticker("simulating", spec.micrographs, quiet) as tick:
        written = write_data_set(
            spec,
            output,
            seed=seed,
            threads=options.thread_count(threads),
            masks=masks,
            on_done=tick,
        )
    bad = sum(truth.verdict == "bad" for truth in written.truths)
    say(
        {
            "micrographs": len(written.micrographs),
            "bad": bad,
            "particles": sum(len(truth.centres_px) for truth in written.truths),
            "folder": str(output),
        },
        quiet=quiet,
        as_json=as_json,
    )
