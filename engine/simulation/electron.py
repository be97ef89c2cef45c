"""How fast electrons meet matter: interaction constant, mean inner potentials, mean free paths."""

from __future__ import annotations

import math

from cryoverdict.features.optics import electron_wavelength_a

# Mean inner potentials in V. Vitreous ice: 4.5 V from neutral-atom scattering factors at
# 0.93 g/cm³; protein about 7 V (both lowered from the neutral-atom value by bonding); amorphous
# carbon of evaporated films 9 V; gold 25 V.
ICE_V = 4.5
PROTEIN_V = 7.0
CARBON_V = 9.0
GOLD_V = 25.0

# Ice thickness (Å) after which 1/e of the electrons are still unscattered and inside the aperture
# or energy window: measured 3,200 to 3,950 Å at 300 kV (Rice et al., J. Struct. Biol. 204:38,
# 2018), scaled with the square of the speed of the electron.
ICE_FREE_PATH_300_A = 3400.0
# Carbon film is denser, gold stops nearly everything.
CARBON_FREE_PATH_RATIO = 0.55
GOLD_FREE_PATH_RATIO = 0.02
REST_ENERGY_KV = 510.99895


def interaction_constant(voltage_kv: float) -> float:
    """Return σ in rad / (V Å): the phase a potential of 1 V gives along 1 Å.

    σ = 2π / (λ U) · (mc² + eU) / (2mc² + eU).

    >>> round(interaction_constant(300.0) * 1e4, 2)
    6.53
    """
    wavelength = electron_wavelength_a(voltage_kv)
    relativistic = (REST_ENERGY_KV + voltage_kv) / (2.0 * REST_ENERGY_KV + voltage_kv)
    return 2.0 * math.pi / (wavelength * voltage_kv * 1e3) * relativistic


def _speed_squared(voltage_kv: float) -> float:
    """Return (v/c)² of the electron."""
    return 1.0 - (REST_ENERGY_KV / (REST_ENERGY_KV + voltage_kv)) ** 2


def ice_free_path_a(voltage_kv: float) -> float:
    """Return the mean free path in vitreous ice in Å."""
    return ICE_FREE_PATH_300_A * _speed_squared(voltage_kv) / _speed_squared(300.0)
