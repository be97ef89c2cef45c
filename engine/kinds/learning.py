"""Whether what was learnt from a run may be used: the guards against believing itself."""

from __future__ import annotations

from cryoverdict.engine.kinds.micrograph_yield import EvidenceKind
from cryoverdict.engine.parameter_kind import Fact

LEARNING = EvidenceKind(
    id="learning",
    decision="learning",
    facts=(
        Fact(name="micrograph_count", unit="1", meaning="Micrographs that teach."),
        Fact(name="good_count", unit="1", meaning="Particles of the good stack that teach."),
        Fact(name="junk_count", unit="1", meaning="Rejected or never picked places that teach."),
        Fact(
            name="held_out_auc",
            unit="1",
            meaning="Area under the ROC curve against the run's own result, held out by "
            "micrograph.",
        ),
        Fact(
            name="kept_back_auc",
            unit="1",
            meaning="The same area on micrographs that had no part in the finished model.",
        ),
        Fact(
            name="picker_auc",
            unit="1",
            meaning="The area that the picker's own score has on those micrographs.",
        ),
        Fact(
            name="frozen_auc_lost",
            unit="1",
            meaning="Area lost on the frozen set of an earlier model, against that model.",
        ),
        Fact(
            name="largest_view_share",
            unit="1",
            meaning="Share of the good particles in the largest group of class averages alike.",
        ),
        Fact(
            name="roundness",
            unit="1",
            meaning="Share of the good averages' power that does not change when they are turned.",
        ),
        Fact(
            name="view_change",
            unit="1",
            meaning="Share of the good particles that would have to change their class to have "
            "the views of those that the model keeps.",
        ),
        Fact(
            name="defocus_change",
            unit="1",
            meaning="The same over fifths of the defocus range.",
        ),
        Fact(
            name="sample_count",
            unit="1",
            meaning="Particles of the next data whose verdicts 2D classification confirms.",
        ),
        Fact(
            name="confirmed_kept",
            unit="1",
            meaning="Of the particles that 2D classification selects, the share that was kept.",
        ),
        Fact(
            name="confirmed_selected",
            unit="1",
            meaning="Of the particles that were kept, the share that 2D classification selects.",
        ),
    ),
)
