"""How models come to be: labelled sets, fitting, honest evaluation, promotion.

From the simulator
    ``cryoverdict catalogue simulate --output REF`` makes the reference catalogue
    (`reference_sessions`): sessions that are measured, and coarse lessons that only the image
    network sees. ``cryoverdict train --embedding REF/sessions`` trains that network
    (`engine.network_training`) on the lessons and three in ten sessions; models learn from the rest
    (`reading_sets` reads what ships of it).

What an image cannot show
    A blur shorter than three pixels, and in 8-bit pictures also defocus, thickness and dose, are
    hidden (`visible_truth`), and so are double exposures, faint bubbles and what lay where the ice
    is torn away: labels speak of what can be seen. What is bad only for hidden reasons is left out.
    Verdicts between 0.35 and 0.65 of the severity scale are *unsure*: two experts would differ.
    They weigh 0.3 in training, and evaluation tells both numbers, with and without.

What a model compares
    A value that is usual in one session is a fault in another: models of micrographs learn from
    each value as it is, and from its robust z in its session (`engine.models.company`).

From a facility's own labels
    ``cryoverdict catalogue export`` writes sets; ``train`` fits a candidate (`candidate`),
    ``evaluate`` judges it on data sets left out whole (`evaluation`, `held_out`, `quality`), and
    ``promote`` puts it into use or says why not (`promotion`).
"""
