"""The model file of a `relion_refine` iteration: classes, their spectra, noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.classification import Classification, ClassMeasure
from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.features.star import StarTable, table_of

# How RELION writes that it knows no resolution, or no accuracy.
UNKNOWN = "999.000000"


def model_blocks(
    classification: Classification,
    parameters: ClassificationParameters,
    images: Path,
    group_names: Sequence[str],
    group_counts: Sequence[int],
    group_optics: Sequence[int],
) -> dict[str, StarTable]:
    """Return the tables of ``run_itNNN_model.star``.

    ``group_optics`` is the optics group (from 0) of each micrograph's group: RELION 3.1 keeps the
    noise by micrograph, later versions by optics group, and each looks for its own tables.

    Spectra are in RELION's units: transforms divided by the number of pixels, and the variance of
    one component (half the power). Beyond the finest ring the noise continues at its last value,
    and the averages hold nothing.
    """
    blocks: dict[str, StarTable] = {
        "model_general": _general(classification, parameters, len(group_names)),
        "model_classes": table_of(
            _class_row(measure, number, images)
            for number, measure in enumerate(classification.classes, start=1)
        ),
    }
    for number, measure in enumerate(classification.classes, start=1):
        blocks[f"model_class_{number}"] = _spectra(measure, classification)
    blocks["model_groups"] = table_of(
        {
            "rlnGroupNumber": str(i),
            "rlnGroupName": name,
            "rlnGroupNrParticles": str(count),
            "rlnGroupScaleCorrection": "1.000000",
        }
        for i, (name, count) in enumerate(zip(group_names, group_counts, strict=True), start=1)
    )
    noise = [_noise(power, classification) for power in classification.noise]
    for number, table in enumerate(noise, start=1):
        blocks[f"model_optics_group_{number}"] = table
    for number, optics in enumerate(group_optics, start=1):
        blocks[f"model_group_{number}"] = noise[optics]
    return blocks


def _general(
    classification: Classification, parameters: ClassificationParameters, groups: int
) -> StarTable:
    """Return the geometry and the totals."""
    finest = classification.history[-1].compared_a
    return table_of(
        [
            {
                "rlnReferenceDimensionality": "2",
                "rlnDataDimensionality": "2",
                "rlnOriginalImageSize": str(classification.box),
                "rlnCurrentResolution": f"{finest:.6f}",
                "rlnCurrentImageSize": str(2 * len(classification.frequencies)),
                "rlnPaddingFactor": "2.000000",
                "rlnIsHelix": "0",
                "rlnFourierSpaceInterpolator": "1",
                "rlnMinRadiusNnInterpolation": "10",
                "rlnPixelSize": f"{classification.pixel_size_a:.6f}",
                "rlnNrClasses": str(len(classification.classes)),
                "rlnNrBodies": "1",
                "rlnNrGroups": str(groups),
                "rlnNrOpticsGroups": str(len(classification.noise)),
                "rlnTau2FudgeFactor": f"{2.0 * parameters.prior_strength:.6f}",
                "rlnNormCorrectionAverage": "1.000000",
                "rlnSigmaOffsetsAngst": f"{_sigma_offsets_a(classification):.6f}",
                "rlnOrientationalPriorMode": "0",
                "rlnSigmaPriorRotAngle": "0.000000",
                "rlnSigmaPriorTiltAngle": "0.000000",
                "rlnSigmaPriorPsiAngle": "0.000000",
                "rlnLogLikelihood": f"{classification.history[-1].log_evidence:.6e}",
                "rlnAveragePmax": f"{classification.history[-1].top:.6f}",
            }
        ]
    )


def _class_row(measure: ClassMeasure, number: int, images: Path) -> dict[str, str]:
    """Return one class's row."""
    resolution, turn = measure.ssnr_resolution_a, measure.rotation_accuracy_deg
    shift = measure.shift_accuracy_a
    return {
        "rlnReferenceImage": f"{number:06d}@{images}",
        "rlnClassDistribution": f"{measure.share:.6f}",
        "rlnAccuracyRotations": UNKNOWN if turn is None else f"{turn:.6f}",
        "rlnAccuracyTranslationsAngst": UNKNOWN if shift is None else f"{shift:.6f}",
        "rlnEstimatedResolution": UNKNOWN if resolution is None else f"{resolution:.6f}",
        "rlnOverallFourierCompleteness": "1.000000",
        "rlnClassPriorOffsetX": "0.000000",
        "rlnClassPriorOffsetY": "0.000000",
    }


def _spectra(measure: ClassMeasure, classification: Classification) -> StarTable:
    """Return one class's spectra from the origin to the Nyquist frequency."""
    unit = _unit(classification)
    columns = {
        "rlnSsnrMap": _extended(measure.ssnr, classification),
        "rlnGoldStandardFsc": _extended(measure.ring_correlation, classification),
        "rlnFourierCompleteness": np.ones(classification.box // 2 + 1, dtype=np.float32),
        "rlnReferenceSigma2": _extended(measure.noise_power, classification) * unit,
        "rlnReferenceTau2": _extended(measure.signal_power, classification) * unit,
        "rlnSpectralOrientabilityContribution": np.zeros(classification.box // 2 + 1),
    }
    length_a = classification.box * classification.pixel_size_a
    return table_of(
        {
            "rlnSpectralIndex": str(i),
            "rlnResolution": f"{i / length_a:.6f}",
            "rlnAngstromResolution": f"{length_a / i if i else 999.0:.6f}",
            **{label: f"{values[i]:.6e}" for label, values in columns.items()},
        }
        for i in range(classification.box // 2 + 1)
    )


def _noise(power: NDArray[np.float32], classification: Classification) -> StarTable:
    """Return the variance of the noise from the origin to the Nyquist frequency."""
    sigma2 = _extended(power, classification, beyond=float(power[-1])) * _unit(classification)
    return table_of(
        {
            "rlnSpectralIndex": str(i),
            "rlnResolution": f"{i / (classification.box * classification.pixel_size_a):.6f}",
            "rlnSigma2Noise": f"{value:.6e}",
        }
        for i, value in enumerate(sigma2)
    )


def _unit(classification: Classification) -> float:
    """Return the factor from our power to RELION's variance of one component."""
    return float(0.5 / classification.box**4)


def _extended(
    values: NDArray[np.float32], classification: Classification, *, beyond: float = 0.0
) -> NDArray[np.float32]:
    """Return ring values from the origin (as the first ring) to Nyquist (``beyond`` the last)."""
    out = np.full(classification.box // 2 + 1, beyond, dtype=np.float32)
    out[0] = values[0]
    out[1 : len(values) + 1] = values
    return out


def _sigma_offsets_a(classification: Classification) -> float:
    """Return the standard deviation (Å) of the particles' places about their box's centre."""
    return float(np.sqrt((classification.shift_px**2).mean()) * classification.pixel_size_a)
