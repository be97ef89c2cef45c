"""A classification as the files that `relion_refine` leaves after an iteration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.classification import Classification
from cryoverdict.engine.classification.mrcs import write_mrcs
from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_stack import ParticleStack
from cryoverdict.engine.classification.relion_model import model_blocks
from cryoverdict.features.star import StarTable, table_of, write_star


@dataclass(frozen=True, slots=True, kw_only=True)
class RelionFiles:
    """Where the files of one iteration lie."""

    classes: Path
    data: Path
    model: Path
    optimiser: Path
    sampling: Path


def write_relion_output(
    classification: Classification,
    stack: ParticleStack,
    parameters: ClassificationParameters,
    folder: Path,
    *,
    seed: int = 0,
) -> RelionFiles:
    """Write ``run_itNNN_{classes.mrcs,data,model,optimiser,sampling.star}`` into ``folder``.

    NNN is the number of iterations done. The particles keep their order and columns; RELION's
    columns for class, angle and origin are set. The files name each other without a folder and the
    images as the list of particles does, so that they are the same wherever ``folder`` lies: to go
    on in RELION, they are copied beside that list, and RELION is started there.
    """
    stem = folder / f"run_it{len(classification.history):03d}"
    files = RelionFiles(
        classes=Path(f"{stem}_classes.mrcs"),
        data=Path(f"{stem}_data.star"),
        model=Path(f"{stem}_model.star"),
        optimiser=Path(f"{stem}_optimiser.star"),
        sampling=Path(f"{stem}_sampling.star"),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_mrcs(files.classes, classification.averages, classification.pixel_size_a)
    groups, numbers = micrograph_groups(stack)
    write_star(files.data, data_blocks(classification, stack, numbers))
    counts = np.bincount(numbers, minlength=len(groups) + 1)[1:].tolist()
    _, first = np.unique(numbers, return_index=True)
    optics = stack.group[first].tolist()
    images = Path(files.classes.name)
    model = model_blocks(classification, parameters, images, groups, counts, optics)
    write_star(files.model, model)
    write_star(files.sampling, {"sampling_general": _sampling(classification, parameters)})
    write_star(
        files.optimiser,
        {"optimiser_general": _optimiser(classification, parameters, files, seed)},
    )
    return files


def micrograph_groups(stack: ParticleStack) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the micrographs' names in order of appearance and each particle's number (from 1)."""
    names = stack.particles.column("rlnGroupName") or stack.particles.column("rlnMicrographName")
    if names is None:
        return ("all",), np.ones(len(stack), dtype=np.int64)
    index = {name: i for i, name in enumerate(dict.fromkeys(names), start=1)}
    return tuple(index), np.array([index[name] for name in names], dtype=np.int64)


def data_blocks(
    classification: Classification, stack: ParticleStack, groups: NDArray[np.int64]
) -> dict[str, StarTable]:
    """Return the optics and particle tables with the columns that the classification found.

    RELION's origin is the shift that brings the particle to the centre, the opposite of where it
    lies; its psi turns the other way round than our angle from x towards y.
    """
    origin_a = -classification.shift_px * np.float32(classification.pixel_size_a)
    psi = 180.0 - (classification.turn_deg + 180.0) % 360.0
    found: dict[str, list[str]] = {
        "rlnGroupNumber": [str(g) for g in groups],
        "rlnAngleRot": ["0.000000"] * len(stack),
        "rlnAngleTilt": ["0.000000"] * len(stack),
        "rlnAnglePsi": [f"{v:.6f}" for v in psi],
        "rlnOriginXAngst": [f"{v:.6f}" for v in origin_a[:, 0]],
        "rlnOriginYAngst": [f"{v:.6f}" for v in origin_a[:, 1]],
        "rlnClassNumber": [str(k + 1) for k in classification.number],
        "rlnNormCorrection": ["1.000000"] * len(stack),
        "rlnLogLikeliContribution": [f"{v:.6e}" for v in classification.log_evidence],
        "rlnMaxValueProbDistribution": [f"{v:.6f}" for v in classification.top],
        "rlnNrOfSignificantSamples": [str(v) for v in classification.significant],
    }
    old = stack.particles
    dropped = {*found, "rlnOriginX", "rlnOriginY"}
    kept = [i for i, label in enumerate(old.columns) if label not in dropped]
    columns = (*(old.columns[i] for i in kept), *found)
    new = list(zip(*found.values(), strict=True))
    rows = tuple(
        (*(row[i] for i in kept), *values) for row, values in zip(old.rows, new, strict=True)
    )
    particles = StarTable(columns=columns, rows=rows)
    if stack.optics_table is None:
        return {"particles": particles}
    return {"optics": stack.optics_table, "particles": particles}


def _sampling(classification: Classification, parameters: ClassificationParameters) -> StarTable:
    """Return the turns and shifts that were compared."""
    step = 180.0 / max(1.0, 2 * np.pi * len(classification.frequencies) / classification.box)
    size = classification.pixel_size_a
    return table_of(
        [
            {
                "rlnIs3DSampling": "0",
                "rlnIs3DTranslationalSampling": "0",
                "rlnPsiStep": f"{step:.6f}",
                "rlnOffsetRange": f"{parameters.offset_range_px * size:.6f}",
                "rlnOffsetStep": f"{2.0 * size:.6f}",
                "rlnHelicalOffsetStep": "-1.00000",
                "rlnSamplingPerturbInstance": "0.00000",
                "rlnSamplingPerturbFactor": "0.500000",
                "rlnHealpixOrderOriginal": "2",
                "rlnPsiStepOriginal": f"{step:.6f}",
                "rlnOffsetRangeOriginal": f"{parameters.offset_range_px * size:.6f}",
                "rlnOffsetStepOriginal": f"{2.0 * size:.6f}",
            }
        ]
    )


def _optimiser(
    classification: Classification,
    parameters: ClassificationParameters,
    files: RelionFiles,
    seed: int,
) -> StarTable:
    """Return the settings, in RELION's words where it has them."""
    done = len(classification.history)
    last = classification.history[-1]
    best = last.resolution_a
    return table_of(
        [
            {
                "rlnOutputRootName": "run",
                "rlnModelStarFile": files.model.name,
                "rlnExperimentalDataStarFile": files.data.name,
                "rlnOrientSamplingStarFile": files.sampling.name,
                "rlnCurrentIteration": str(done),
                "rlnNumberOfIterations": str(parameters.iterations),
                "rlnDoSplitRandomHalves": "0",
                "rlnJoinHalvesUntilThisResolution": "-1.00000",
                "rlnAdaptiveOversampleOrder": "1",
                "rlnAdaptiveOversampleFraction": "0.999000",
                "rlnRandomSeed": str(seed),
                "rlnParticleDiameter": f"{parameters.mask_diameter_a:.6f}",
                "rlnWidthMaskEdge": str(round(parameters.mask_edge_px)),
                "rlnDoZeroMask": "1",
                "rlnDoSolventFlattening": "1",
                "rlnDoSolventFscCorrection": "0",
                "rlnSolventMaskName": "None",
                "rlnSolventMask2Name": "None",
                "rlnTauSpectrumName": "None",
                "rlnCoarseImageSize": str(2 * len(classification.frequencies)),
                "rlnMaximumCoarseImageSize": "-1",
                "rlnHighresLimitExpectation": f"{parameters.resolution_limit_a:.6f}",
                "rlnIncrementImageSize": "10",
                "rlnDoMapEstimation": "1",
                "rlnDoStochasticGradientDescent": "0",
                "rlnDoAutoRefine": "0",
                "rlnAutoLocalSearchesHealpixOrder": "4",
                "rlnNumberOfIterWithoutResolutionGain": "0",
                "rlnBestResolutionThusFar": f"{0.0 if best is None else 1.0 / best:.6f}",
                "rlnNumberOfIterWithoutChangingAssignments": "0",
                "rlnDoSkipAlign": "0",
                "rlnDoSkipRotate": "0",
                "rlnOverallAccuracyRotations": "0.000000",
                "rlnOverallAccuracyTranslationsAngst": "0.000000",
                "rlnChangesOptimalOrientations": "0.000000",
                "rlnChangesOptimalOffsets": "0.000000",
                "rlnChangesOptimalClasses": f"{last.changed or 0.0:.6f}",
                "rlnSmallestChangesOrientations": "0.000000",
                "rlnSmallestChangesOffsets": "0.000000",
                "rlnSmallestChangesClasses": "0",
                "rlnHasConverged": "0",
                "rlnHasHighFscAtResolLimit": "0",
                "rlnHasLargeSizeIncreaseIterationsAgo": "0",
                "rlnDoCorrectNorm": "0",
                "rlnDoCorrectScale": "0",
                "rlnDoCorrectCtf": str(int(parameters.correct_ctf)),
                "rlnDoIgnoreCtfUntilFirstPeak": str(int(parameters.until_first_peak)),
                "rlnCtfDataArePhaseFlipped": "0",
                "rlnDoOnlyFlipCtfPhases": "0",
                "rlnRefsAreCtfCorrected": "1",
                "rlnFixSigmaNoiseEstimates": "0",
                "rlnFixSigmaOffsetEstimates": "0",
                "rlnMaxNumberOfPooledParticles": "30",
            }
        ]
    )
