"""What experts know: the rule language and the shipped rule sets.

One YAML file is one rule. Its condition names features (unit in the name), the rule's own named
thresholds, and statistics of the data set; its effect is a gate, a weight, a warning, or a value
or bound of a parameter::

    id: ctf-resolution-poor
    title: CTF fit ends at poor resolution
    decision: reject-micrographs
    status: stable
    thresholds:
      poor_resolution:
        value: 6
        unit: A
        spread: [4 to 5 Å in strict groups, 10 Å in a permissive pipeline]
        source: the cut that two automatic pipelines share
    when: ctf_resolution_a > poor_resolution
    effect: {log_odds: -1.0}            # or reject, flag, {set: …}, {at_least: …}, {at_most: …}
    points_to: [bad_ctf]
    because: The CTF fit ends at {ctf_resolution_a}, worse than {poor_resolution}.
    references: [where this is written]
    false_alarms: [where the author expects the rule to be wrong]
    examples: {fires: [{ctf_resolution_a: 6.05}], silent: [{ctf_resolution_a: 6}]}

Conditions are comparisons (``< <= > >= ==``, also ``low < x < high``) joined by ``and``, ``or``,
``not``; numbers are names, ``+ - * /``, ``abs``, ``min``, ``max``, and of the data set
``robust_z(x)``, ``median(x)``, ``mad(x)``, ``quantile(x, fraction)``, ``count(x)`` (subjects that
have x) and ``count()`` (all). Where a list mixes kinds of images (counts and pictures, pixel
sizes), the data set of a subject is those of its own kind. A robust z takes no spread for smaller
than the noise of the measurement (half a per cent of the median). Bare numbers are 0, 1 and 2;
every other one is a threshold. There is no question whether a value is absent: a missing value
makes a rule say «could not say» exactly where it could change the answer, and is never a pass.

A site changes a rule in a file of its own, in a folder given with ``--rules DIR``::

    override: ctf-resolution-poor
    thresholds: {poor_resolution: 8}    # and/or log_odds: -0.5, or enabled: false
    reason: we work with tilted grids

or adds a rule, or takes the place of one with ``replaces: ID``.
"""
