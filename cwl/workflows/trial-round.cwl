#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: Workflow
id: trial_round
label: Round one on a part of the data
doc: |
  Picks and classifies a part of the particles, to learn what they look like. Its good class
  averages and particles are what round two decides from.

$namespaces:
  sbg: https://www.sevenbridges.com/

inputs:
  - id: judged
    type: Directory
    label: Judged micrographs
    doc: Folder of decide-micrographs; its good micrographs are used.
    sbg:x: 0
    sbg:y: 0
  - id: rules
    type: Directory[]?
    label: Rules of the site
    doc: Folders of your own rules and overrides, laid over the shipped ones; a later one wins.
    sbg:x: 0
    sbg:y: 120
  - id: diameter_a
    type: float?
    label: Particle diameter (Å)
    doc: Particle diameter in Å, where you know it; it is compared with the images.
    sbg:x: 0
    sbg:y: 240
  - id: picker
    type:
      - "null"
      - type: array
        items:
          type: enum
          name: picker
          symbols: [builtin, relion, topaz]
    label: Pickers
    doc: Who picks; several make a consensus; without one the built-in picker.
    sbg:x: 0
    sbg:y: 360
  - id: trial_particles
    type: int?
    label: Particles of round one
    doc: |
      Round one picks and classifies so many particles, spread over defocus; without a number, as
      many as its picking decision says.
    sbg:x: 0
    sbg:y: 480
  - id: classifier
    type:
      type: enum
      name: classifier
      symbols: [builtin, relion]
    default: builtin
    label: Classifier
    doc: The embedded 2D classifier, or an installed RELION's.
    sbg:x: 0
    sbg:y: 600
  - id: device
    type:
      type: enum
      name: device
      symbols: [cpu, cuda, auto]
    default: auto
    label: Device
    doc: Where the embedded classifier computes; auto takes a GPU where there is one.
    sbg:x: 0
    sbg:y: 720
  - id: seed
    type: int
    default: 0
    label: Seed
    doc: Random seed; the same seed gives the same bytes.
    sbg:x: 0
    sbg:y: 840
  - id: threads
    type: int
    default: 1
    label: Threads
    doc: Cores for each job that works on the whole data set.
    sbg:x: 0
    sbg:y: 960
  - id: ram_mib
    type: int
    default: 4096
    label: Memory (MiB)
    doc: Memory for each job that works on the whole data set.
    sbg:x: 0
    sbg:y: 1080

steps:
  - id: decide_picking
    label: How to pick?
    run: ../tools/decide-picking.cwl
    in:
      - id: micrographs
        source: judged
      - id: diameter_a
        source: diameter_a
      - id: rules
        source: rules
      - id: seed
        source: seed
      - id: threads
        source: threads
      - id: ram_mib
        source: ram_mib
      - id: output
        default: trial_picking
    out: [picking, parameters]
    sbg:x: 300
    sbg:y: 240
  - id: pick
    label: Pick a part
    run: ../tools/pick.cwl
    in:
      - id: micrographs
        source: judged
      - id: parameters
        source: decide_picking/picking
      - id: picker
        source: picker
      - id: trial
        default: true
      - id: particles
        source: trial_particles
      - id: rules
        source: rules
      - id: threads
        source: threads
      - id: ram_mib
        source: ram_mib
      - id: output
        default: trial_picked
    out: [picked]
    sbg:x: 600
    sbg:y: 240
  - id: decide_classification
    label: How to classify?
    run: ../tools/decide-classification.cwl
    in:
      - id: picks
        source: pick/picked
      - id: picking
        source: decide_picking/parameters
      - id: rules
        source: rules
      - id: seed
        source: seed
      - id: threads
        source: threads
      - id: ram_mib
        source: ram_mib
      - id: output
        default: trial_classification
    out: [classification, parameters]
    sbg:x: 900
    sbg:y: 240
  - id: extract
    label: Cut out
    run: ../tools/extract.cwl
    in:
      - id: picks
        source: pick/picked
      - id: parameters
        source: decide_classification/parameters
      - id: threads
        source: threads
      - id: ram_mib
        source: ram_mib
      - id: output
        default: trial_extracted
    out: [extracted]
    sbg:x: 1200
    sbg:y: 240
  - id: classify
    label: Classify
    run: ../tools/classify.cwl
    in:
      - id: particles
        source: extract/extracted
      - id: parameters
        source: decide_classification/parameters
      - id: classifier
        source: classifier
      - id: device
        source: device
      - id: rules
        source: rules
      - id: seed
        source: seed
      - id: threads
        source: threads
      - id: ram_mib
        source: ram_mib
      - id: output
        default: trial_classified
    out: [classified]
    sbg:x: 1500
    sbg:y: 240
  - id: decide_classes
    label: Which classes?
    run: ../tools/decide-classes.cwl
    in:
      - id: run
        source: classify/classified
      - id: rules
        source: rules
      - id: ram_mib
        source: ram_mib
      - id: output
        default: trial_classes
    out: [selected]
    sbg:x: 1800
    sbg:y: 240

outputs:
  - id: trial_picking
    type: Directory
    label: Picking of round one
    outputSource: decide_picking/picking
    sbg:x: 2100
    sbg:y: 0
  - id: trial_picked
    type: Directory
    label: Picks of round one
    outputSource: pick/picked
    sbg:x: 2100
    sbg:y: 120
  - id: trial_classification
    type: Directory
    label: Classification of round one
    outputSource: decide_classification/classification
    sbg:x: 2100
    sbg:y: 240
  - id: trial_extracted
    type: Directory
    label: Particles of round one
    outputSource: extract/extracted
    sbg:x: 2100
    sbg:y: 360
  - id: trial_classified
    type: Directory
    label: Classes of round one
    outputSource: classify/classified
    sbg:x: 2100
    sbg:y: 480
  - id: trial_classes
    type: Directory
    label: Good classes of round one
    outputSource: decide_classes/selected
    sbg:x: 2100
    sbg:y: 600
