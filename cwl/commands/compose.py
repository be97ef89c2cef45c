"""Compose a workflow on a local page."""

from __future__ import annotations

from pathlib import Path

import click

from cryoverdict.cwl import options


@click.command("compose")
@click.argument("workflow", default="preprocess", metavar="[WORKFLOW]")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default="here",
    help="Where workflows are opened from, saved to and run.",
)
@click.option(
    "--port",
    type=click.IntRange(min=0, max=65535),
    default=0,
    show_default="any free one",
    help="Port on this machine.",
)
@options.quiet_option
def command(workflow: str, folder: Path, port: int, quiet: bool) -> None:
    """Draw, change, check, save and run a workflow on a page of this machine's browser.

    WORKFLOW is a shipped workflow (preprocess, judge-micrographs, select-classes, …) or a .cwl
    file in the folder. Drag tools from the list onto the drawing, connect their ports, set their
    values. Saving writes into the folder, never into the package, with the tools beside it, and
    has cwltool check it. The page is served to this machine alone, at an address that is not to
    be guessed; Ctrl-C ends it.
    """
    from cryoverdict.cwl.composer.references import refer_to
    from cryoverdict.cwl.composer.server import ComposerServer
    from cryoverdict.cwl.composer.session import ComposerSession
    from cryoverdict.cwl.runner.workflow_file import shipped_workflow

    folder.mkdir(parents=True, exist_ok=True)
    inside = folder / workflow
    path = inside if inside.is_file() else shipped_workflow(workflow)
    session = ComposerSession(folder, refer_to(path, folder))
    with ComposerServer(session, port=port) as server:
        # The address is the command's one output: it is printed whatever --quiet says.
        click.echo(server.url)
        if not quiet:
            click.echo(f"files are saved in {session.folder}; Ctrl-C ends", err=True)
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            click.echo("", err=True)
