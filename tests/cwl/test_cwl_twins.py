"""Two jobs of one run with the same command and input: one works, the other takes its result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from cryoverdict.cwl.runner.cwltool_process import start_cwltool

# Scattered over words; whoever works writes its process number, so that works are told apart.
WORKFLOW = """
cwlVersion: v1.0
class: Workflow
id: twins
requirements: [{class: ScatterFeatureRequirement}]
inputs: [{id: words, type: "string[]"}]
steps:
  - id: say
    scatter: word
    run:
      class: CommandLineTool
      id: say_tool
      baseCommand: [sh, -c, 'sleep 0.5; echo $0 $$; exit CODE']
      inputs: [{id: word, type: string, inputBinding: {position: 1}}]
      outputs: [{id: said, type: stdout}]
      stdout: said.txt
    in: [{id: word, source: words}]
    out: [said]
outputs: [{id: said, type: "File[]", outputSource: say/said}]
"""


def run(folder: Path, code: int = 0) -> tuple[int, str]:
    """Run three twins and another, two at a time; return exit code and the output object."""
    (folder / "twins.cwl").write_text(WORKFLOW.replace("CODE", str(code)))
    (folder / "job.yaml").write_text("words: [a, a, b, a]")
    cache = folder / "cache"
    cache.mkdir(exist_ok=True)
    process = start_cwltool(folder / "twins.cwl", folder / "job.yaml", cache=cache, jobs=2)
    try:
        # The standard input has to stay open: its end is the end of the run.
        assert process.stdin is not None
        held, process.stdin = process.stdin, None
        said, _ = process.communicate(timeout=300)
        held.close()
    except subprocess.TimeoutExpired:
        # One that waits for its own lock does not listen to anything milder.
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, said


def test_twins_wait_for_the_first_and_share_its_result(tmp_path: Path) -> None:
    code, said = run(tmp_path)
    assert code == 0
    words = [Path(one["path"]).read_text().split() for one in json.loads(said)["said"]]
    assert [word for word, _ in words] == ["a", "a", "b", "a"]
    assert len({number for _, number in words}) == 2
    again = [Path(one["path"]).read_text().split() for one in json.loads(run(tmp_path)[1])["said"]]
    assert again == words


def test_twins_of_one_that_fails_end_the_run(tmp_path: Path) -> None:
    assert run(tmp_path, code=3)[0] == 1
