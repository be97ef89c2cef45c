"""cryoSPARC exposures through the workflow: their records come back, as from the step alone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

FIELDS = [
    ("uid", "<u8"),
    ("micrograph_blob/path", "S400"),
    ("micrograph_blob/psize_A", "<f4"),
    ("mscope_params/accel_kv", "<f4"),
    ("mscope_params/cs_mm", "<f4"),
]


def test_the_records_of_good_exposures_come_back(
    session: Path, cryoverdict: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """Of two files, as a job leaves them; dealt over batches on the way."""
    images = sorted((session / "mics").glob("*.mrc"))
    uids = [2**63 + i for i in range(len(images))]
    rows = [
        (uid, str(one).encode(), 2.0, 300.0, 2.7) for uid, one in zip(uids, images, strict=True)
    ]
    records = np.array(rows, dtype=FIELDS)
    beside = np.array([(uid, i) for i, uid in enumerate(uids)], [("uid", "<u8"), ("own", "<i4")])
    for name, array in (("exposures.cs", records), ("passthrough.cs", beside)):
        with (tmp_path / name).open("wb") as file:
            np.save(file, array)
    given = ("exposures.cs", "passthrough.cs")
    cryoverdict(
        *("run", *given, "--workflow", "judge-micrographs", "--batch-size", 2, "--output", "run"),
        folder=tmp_path,
    )
    cryoverdict("decide-micrographs", *given, "--output", "hand", "--threads", 1, folder=tmp_path)
    job = yaml.safe_load((tmp_path / "run" / "workflow" / "job.yaml").read_text())
    assert [Path(one["path"]).name for one in job["exposures"]] == ["exposures.cs"]
    lines = (tmp_path / "run" / "judged" / "decisions.jsonl").read_text().splitlines()
    kept = [json.loads(line)["outcome"] == "keep" for line in lines]
    assert True in kept
    assert False in kept
    for name, chosen in (("good", kept), ("rejected", [not one for one in kept])):
        path = tmp_path / "run" / "judged" / f"micrographs_{name}.cs"
        written = np.load(path, allow_pickle=False)
        assert list(written["uid"]) == [uid for uid, yes in zip(uids, chosen, strict=True) if yes]
        assert written.dtype.names == (*dict(FIELDS), "own")
        assert path.read_bytes() == (tmp_path / "hand" / path.name).read_bytes()
