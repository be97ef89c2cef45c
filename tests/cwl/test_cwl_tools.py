"""Each CWL tool is the command of its name: prefixes, types, arrays, defaults, outputs."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from cryoverdict.cwl.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
TOOLS = sorted((ROOT / "cwl" / "tools").glob("*.cwl"))
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
BY_NAME = {str(command.name): command for command in COMMANDS}

# Commands that are no step of a workflow: they run one, or talk to a person.
NO_STEP = {
    "catalogue",
    "compare-runs",
    "compose",
    "demo",
    "evaluate",
    "promote",
    "report",
    "rules",
    "run",
    "train",
    "train-classes",
}
# Options that a step has no use for: what it prints is the tool's affair.
SETTLED = {"--quiet", "--json"}
# What a job asks of the machine and the command is not told.
MEMORY = "ram_mib"
# A job asks for one core unless told otherwise; on the command line the default is all of them.
OTHER_DEFAULTS = {"--threads": 1}


def read_tool(path: Path) -> dict[str, Any]:
    """Return a tool as it stands in its file."""
    tool = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(tool, dict)
    return tool


def shape_of(given: Any) -> tuple[frozenset[str], bool, bool, Any]:
    """Return what a CWL type holds: item types, whether an array, whether optional, symbols."""
    optional, array, symbols = False, False, None
    kinds: set[str] = set()
    for one in given if isinstance(given, list) else [given]:
        if isinstance(one, dict):
            if one["type"] == "array":
                array = True
                items = one["items"]
                if isinstance(items, dict):
                    items, symbols = items["type"], items["symbols"]
                kinds |= set(items if isinstance(items, list) else [items])
            else:
                kinds.add(one["type"])
                symbols = one["symbols"]
            continue
        if one == "null":
            optional = True
            continue
        optional |= one.endswith("?")
        one = one.removesuffix("?")
        array |= one.endswith("[]")
        kinds.add(one.removesuffix("[]"))
    return frozenset(kinds), array, optional, symbols


def wanted_kinds(parameter: click.Parameter) -> set[str]:
    """Return the CWL types that the values of a click parameter may have."""
    kind = parameter.type
    if isinstance(kind, click.Choice):
        return {"enum"}
    if parameter.name == "output":
        return {"string"}
    if isinstance(kind, click.Path):
        return {"File"} if not kind.dir_okay else {"Directory"} if not kind.file_okay else FILES
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return {"boolean"}
    if isinstance(kind, click.types.IntParamType):
        return {"int"}
    if isinstance(kind, click.types.FloatParamType):
        return {"float"}
    # Lists are taken as text, since a pattern may stand for them; a step is given files.
    names_files = isinstance(parameter, click.Argument) or parameter.metavar in LISTS
    return FILES if names_files else {"string"}


FILES = {"File", "Directory"}
INSIDE = re.compile(r"\$\(self\.path\)/[a-z_]+\.(star|json)")
LISTS = {"MICS", "STAR_OR_FOLDER"}


def binding_of(entry: dict[str, Any]) -> dict[str, Any]:
    """Return how an input reaches the command line; an array may say it of each item."""
    kinds = entry["type"] if isinstance(entry["type"], list) else [entry["type"]]
    for one in kinds:
        if isinstance(one, dict) and "inputBinding" in one:
            return dict(one["inputBinding"])
    return dict(entry.get("inputBinding", {}))


def faults_of(tool: dict[str, Any], command: click.Command) -> list[str]:
    """Return everything in which a tool is not its command."""
    faults = []
    if tool["baseCommand"] != ["cryoverdict", command.name]:
        faults.append(f"baseCommand {tool['baseCommand']}")
    flags = {o: p for p in command.params if isinstance(p, click.Option) for o in p.opts}
    said = {p.name: p for p in command.params}
    bound: set[str] = set()
    for entry in tool["inputs"]:
        if entry["id"] == MEMORY:
            continue
        binding = binding_of(entry)
        prefix = binding.get("prefix")
        parameter: click.Parameter | None = flags.get(prefix) if prefix else None
        if prefix is None and "position" in binding:
            parameter = next((p for p in command.params if isinstance(p, click.Argument)), None)
        if parameter is None:
            faults.append(f"{entry['id']}: no option {prefix}")
            continue
        bound.add(parameter.name or "")
        faults += [f"{entry['id']}: {fault}" for fault in _input_faults(entry, parameter)]
    for given in tool.get("arguments", []):
        if given not in flags:
            faults.append(f"arguments: no option {given}")
    settled = {p.name for flag, p in flags.items() if flag in SETTLED}
    faults += [f"not in the tool: {name}" for name in said if name not in bound | settled]
    return faults + _output_faults(tool, command)


def _input_faults(entry: dict[str, Any], parameter: click.Parameter) -> list[str]:
    """Return in what an input differs from the parameter that it is bound to."""
    kinds, array, optional, symbols = shape_of(entry["type"])
    faults = []
    if kinds == {"Directory"} and INSIDE.fullmatch(str(binding_of(entry).get("valueFrom"))):
        # A file that names others beside it comes with its folder.
        kinds = frozenset({"File"})
    if not kinds <= wanted_kinds(parameter):
        faults.append(f"type {sorted(kinds)} for {parameter.type}")
    several = parameter.multiple if isinstance(parameter, click.Option) else parameter.nargs == -1
    if array != several:
        faults.append("array on one side only")
    if isinstance(parameter, click.Option) and array and "inputBinding" in entry:
        faults.append("the prefix must stand before each item")
    if isinstance(parameter.type, click.Choice) and tuple(symbols) != tuple(parameter.type.choices):
        faults.append(f"symbols {symbols}")
    flag = isinstance(parameter, click.Option) and parameter.is_flag
    needed = not optional and "default" not in entry
    if entry["id"] == "output":
        # Required on the command line; here each tool has a name of its own for its folder.
        needed = True
    if parameter.required != needed:
        faults.append("required on one side only")
    first = parameter.opts[0]
    default = parameter.default if isinstance(parameter.default, str | int | float) else None
    default = OTHER_DEFAULTS.get(first, default)
    if flag:
        default = default or None
    if entry.get("default") != default and entry["id"] != "output":
        faults.append(f"default {entry.get('default')} for {default}")
    if not entry.get("label") or not entry.get("doc"):
        faults.append("no label or no doc")
    return faults


def _output_faults(tool: dict[str, Any], command: click.Command) -> list[str]:
    """Return the outputs that lie outside the output folder or that the command's help lacks."""
    text = " ".join((command.help or "").split())
    faults = []
    for output in tool["outputs"]:
        glob = output["outputBinding"]["glob"]
        folder, _, inside = glob.partition("/")
        if folder != "$(inputs.output)":
            faults.append(f"{output['id']}: {glob} is not in the output folder")
        if inside.replace("_*", "_0000") not in text:
            faults.append(f"{output['id']}: the command's help does not name {inside}")
    return faults


def input_of(tool: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one input of a tool, to be changed."""
    (found,) = [entry for entry in tool["inputs"] if entry["id"] == name]
    assert isinstance(found, dict)
    return found


def test_every_step_has_its_tool() -> None:
    assert {path.stem for path in TOOLS} == set(BY_NAME) - NO_STEP


@pytest.mark.parametrize("path", TOOLS, ids=lambda p: str(p.stem))
def test_tool_is_its_command(path: Path) -> None:
    assert faults_of(read_tool(path), BY_NAME[path.stem]) == []


@pytest.mark.parametrize("path", TOOLS, ids=lambda p: str(p.stem))
def test_tool_is_in_the_profile(path: Path) -> None:
    """What two versions of the Composer's library, cwltool and Toil all read (list form, v1.0)."""
    text, tool = path.read_text(encoding="utf-8"), read_tool(path)
    assert tool["cwlVersion"] == "v1.0"
    assert tool["class"] == "CommandLineTool"
    assert tool["id"] == path.stem.replace("-", "_")
    assert tool["label"]
    assert tool["doc"].strip()
    for word in ("$(runtime", "${", "InlineJavascript", "$import", "$schemas", "when:"):
        assert word not in text
    hints = {hint["class"]: hint for hint in tool["hints"]}
    assert hints["SoftwareRequirement"]["packages"] == [
        {"package": "cryoverdict", "version": [VERSION]}
    ]
    assert hints["DockerRequirement"]["dockerPull"] == f"cryoverdict:{VERSION}"
    # A new version must not be given the cached results of an old one, and numerical libraries
    # must not share their sums out over as many threads as the machine happens to have, nor add
    # in another order on every make of processor.
    assert hints["EnvVarRequirement"]["envDef"] == [
        {"envName": "CRYOVERDICT_VERSION", "envValue": VERSION},
        {"envName": "OMP_NUM_THREADS", "envValue": "1"},
        {"envName": "OPENBLAS_NUM_THREADS", "envValue": "1"},
        {"envName": "OPENBLAS_CORETYPE", "envValue": "Haswell"},
    ]
    (resources,) = [r for r in tool["requirements"] if r["class"] == "ResourceRequirement"]
    assert resources["ramMin"] == f"$(inputs.{MEMORY})"
    assert input_of(tool, MEMORY)["default"] >= 256
    if any(entry["id"] == "threads" for entry in tool["inputs"]):
        assert resources["coresMin"] == "$(inputs.threads)"
    assert tool["successCodes"] in ([0], [0, 4], [0, 3, 4])


MUTATIONS: dict[str, Callable[[dict[str, Any]], None]] = {
    "renamed option": lambda t: input_of(t, "pixel_size_a")["inputBinding"].update(
        prefix="--pixelsize-a"
    ),
    "wrong type": lambda t: input_of(t, "pixel_size_a").update(type="int?"),
    "changed default": lambda t: input_of(t, "threads").update(default=2),
    "required here, optional there": lambda t: input_of(t, "pixel_size_a").update(type="float"),
    "optional here, required there": lambda t: input_of(t, "micrographs").update(type="File[]?"),
    "one here, several there": lambda t: input_of(t, "micrographs").update(type="File"),
    "forgotten option": lambda t: t["inputs"].remove(input_of(t, "voltage_kv")),
    "other command": lambda t: t.update(baseCommand=["cryoverdict", "decide-micrographs"]),
    "unknown flag": lambda t: t["arguments"].append("--silent"),
    "no doc": lambda t: input_of(t, "cs_mm").pop("doc"),
    "unknown output": lambda t: t["outputs"][1]["outputBinding"].update(
        glob="$(inputs.output)/x.parquet"
    ),
    "output elsewhere": lambda t: t["outputs"][1]["outputBinding"].update(glob="features.parquet"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_drift_between_tool_and_command_is_noticed(name: str) -> None:
    tool = copy.deepcopy(read_tool(ROOT / "cwl" / "tools" / "measure-micrographs.cwl"))
    MUTATIONS[name](tool)
    assert faults_of(tool, BY_NAME["measure-micrographs"]) != []


def test_the_command_line_may_not_drift_either() -> None:
    """The same from the other side: a new or renamed option of the command is a fault."""

    @click.command("measure-micrographs", help=BY_NAME["measure-micrographs"].help)
    @click.option("--brand-new", type=int)
    def changed(**_: object) -> None:
        """Stand for the command after a change."""

    changed.params += BY_NAME["measure-micrographs"].params
    tool = read_tool(ROOT / "cwl" / "tools" / "measure-micrographs.cwl")
    assert faults_of(tool, changed) == ["not in the tool: brand_new"]
