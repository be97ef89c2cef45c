#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: Workflow
id: preprocess
label: From micrographs to good particles
doc: |
  Motion-corrected micrographs in, a stack of good particles out, every choice decided and
  explained: which micrographs to keep, how to pick, how to classify, which classes to keep.

  Round one picks and classifies a part of the data, to learn what the particles look like; round
  two decides anew from its good classes and works on all. Measuring, picking and cutting out are
  dealt over batches of micrographs; what needs the whole data set at once is one job.

$namespaces:
  sbg: https://www.sevenbridges.com/

requirements:
  - class: ScatterFeatureRequirement
  - class: SubworkflowFeatureRequirement
  - class: MultipleInputFeatureRequirement

inputs:
  - id: micrographs
    type: File[]
    label: Lists of micrographs
    doc: |
      Batches of one list, as `cryoverdict split-micrographs` writes them (RELION STAR files that
      say where the micrographs lie); each is measured by a job of its own. One list is one batch.
    sbg:x: 0
    sbg:y: 0
  - id: exposures
    type: File[]?
    label: Exposures
    doc: |
      The cryoSPARC exposures (.cs) of which the lists were made; judged/micrographs_good.cs is
      written then, with their records and uids.
    sbg:x: 0
    sbg:y: 1320
  - id: pixel_size_a
    type: float?
    label: Pixel size (Å)
    doc: Pixel size in Å, where the files lack it.
    sbg:x: 0
    sbg:y: 120
  - id: voltage_kv
    type: float?
    label: Voltage (kV)
    doc: Acceleration voltage in kV, where the lists lack it.
    sbg:x: 0
    sbg:y: 240
  - id: cs_mm
    type: float?
    label: Spherical aberration (mm)
    doc: Spherical aberration in mm, where the lists lack it.
    sbg:x: 0
    sbg:y: 360
  - id: amplitude_contrast
    type: float?
    label: Amplitude contrast
    doc: Amplitude contrast, 0 to 1, where the lists lack it.
    sbg:x: 0
    sbg:y: 480
  - id: model
    type: File?
    label: Model of the micrographs
    doc: 'A model of micrographs written by `cryoverdict train`, instead of the shipped one.'
    sbg:x: 0
    sbg:y: 600
  - id: rules
    type: Directory[]?
    label: Rules of the site
    doc: Folders of your own rules and overrides, laid over the shipped ones; a later one wins.
    sbg:x: 0
    sbg:y: 720
  - id: batch_threads
    type: int
    default: 1
    label: Threads of a batch
    doc: Cores for each job that works on one batch.
    sbg:x: 0
    sbg:y: 840
  - id: batch_ram_mib
    type: int
    default: 1536
    label: Memory of a batch (MiB)
    doc: Memory for each job that works on one batch; a thread needs about 20 bytes a pixel.
    sbg:x: 0
    sbg:y: 960
  - id: threads
    type: int
    default: 1
    label: Threads
    doc: Cores for each job that works on the whole data set.
    sbg:x: 0
    sbg:y: 1080
  - id: ram_mib
    type: int
    default: 4096
    label: Memory (MiB)
    doc: Memory for each job that works on the whole data set.
    sbg:x: 0
    sbg:y: 1200
  - id: diameter_a
    type: float?
    label: Particle diameter (Å)
    doc: Particle diameter in Å, where you know it; it is compared with the images.
    sbg:x: 300
    sbg:y: 480
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
    sbg:x: 300
    sbg:y: 600
  - id: trial_particles
    type: int?
    label: Particles of round one
    doc: |
      Round one picks and classifies so many particles, spread over defocus; without a number, as
      many as its picking decision says.
    sbg:x: 300
    sbg:y: 720
  - id: classifier
    type:
      type: enum
      name: classifier
      symbols: [builtin, relion]
    default: builtin
    label: Classifier
    doc: The embedded 2D classifier, or an installed RELION's.
    sbg:x: 300
    sbg:y: 840
  - id: device
    type:
      type: enum
      name: device
      symbols: [cpu, cuda, auto]
    default: auto
    label: Device
    doc: Where the embedded classifier computes; auto takes a GPU where there is one.
    sbg:x: 300
    sbg:y: 960
  - id: seed
    type: int
    default: 0
    label: Seed
    doc: Random seed; the same seed gives the same bytes.
    sbg:x: 300
    sbg:y: 1080
  - id: batch_size
    type: int
    default: 50
    label: Batch size
    doc: Good micrographs in a batch; picking and extraction are dealt over these.
    sbg:x: 300
    sbg:y: 1200
  - id: class_count
    type: int?
    label: Number of classes
    doc: Number of 2D classes, where you want another than the decided one.
    sbg:x: 1500
    sbg:y: 480
  - id: box_px
    type: int?
    label: Box (pixels)
    doc: Box in pixels of the micrographs, where you want another than the decided one.
    sbg:x: 1500
    sbg:y: 600
  - id: stack_pixel_size_a
    type: float?
    label: Pixel size of the stack (Å)
    doc: Pixel size of the final stack; without it the stack is not binned.
    sbg:x: 3000
    sbg:y: 480

steps:
  - id: judge
    label: Which micrographs?
    run: judge-micrographs.cwl
    in:
      - id: micrographs
        source: micrographs
      - id: exposures
        source: exposures
      - id: pixel_size_a
        source: pixel_size_a
      - id: voltage_kv
        source: voltage_kv
      - id: cs_mm
        source: cs_mm
      - id: amplitude_contrast
        source: amplitude_contrast
      - id: rules
        source: rules
      - id: model
        source: model
      - id: threads
        source: threads
      - id: ram_mib
        source: ram_mib
      - id: batch_threads
        source: batch_threads
      - id: batch_ram_mib
        source: batch_ram_mib
    out: [judged]
    sbg:x: 300
    sbg:y: 240
  - id: trial
    label: Round one
    run: trial-round.cwl
    in:
      - id: judged
        source: judge/judged
      - id: rules
        source: rules
      - id: diameter_a
        source: diameter_a
      - id: picker
        source: picker
      - id: trial_particles
        source: trial_particles
      - id: classifier
        source: classifier
      - id: device
        source: device
      - id: seed
        source: seed
      - id: threads
        source: threads
      - id: ram_mib
        source: ram_mib
    out: [trial_picking, trial_picked, trial_classification, trial_extracted, trial_classified, trial_classes]
    sbg:x: 600
    sbg:y: 240
  - id: split
    label: Batches
    run: ../tools/split-micrographs.cwl
    in:
      - id: micrographs
        source: judge/judged
      - id: batch_size
        source: batch_size
    out: [batches]
    sbg:x: 900
    sbg:y: 0
  - id: decide_picking
    label: How to pick?
    run: ../tools/decide-picking.cwl
    in:
      - id: micrographs
        source: judge/judged
      - id: diameter_a
        source: diameter_a
      - id: class_averages
        source: trial/trial_classes
      - id: good_particles
        source: trial/trial_classes
      - id: rules
        source: rules
      - id: seed
        source: seed
      - id: threads
        source: threads
      - id: ram_mib
        source: ram_mib
    out: [picking, parameters]
    sbg:x: 900
    sbg:y: 240
  - id: pick
    label: Pick
    run: ../tools/pick.cwl
    scatter: micrographs
    in:
      - id: micrographs
        source: split/batches
      - id: parameters
        source: decide_picking/picking
      - id: picker
        source: picker
      - id: rules
        source: rules
      - id: threads
        source: batch_threads
      - id: ram_mib
        source: batch_ram_mib
    out: [picked]
    sbg:x: 1200
    sbg:y: 0
  - id: gather_picks
    label: The picks
    run: ../tools/gather-picks.cwl
    in:
      - id: micrographs
        source: judge/judged
      - id: picked_batches
        source: pick/picked
      - id: parameters
        source: decide_picking/picking
      - id: picker
        source: picker
      - id: rules
        source: rules
      - id: threads
        source: threads
      - id: ram_mib
        source: ram_mib
    out: [picked]
    sbg:x: 1500
    sbg:y: 240
  - id: decide_classification
    label: How to classify?
    run: ../tools/decide-classification.cwl
    in:
      - id: picks
        source: gather_picks/picked
      - id: picking
        source: decide_picking/parameters
      - id: trial_particles
        source:
          - trial/trial_extracted
        linkMerge: merge_nested
      - id: class_count
        source: class_count
      - id: box_px
        source: box_px
      - id: rules
        source: rules
      - id: seed
        source: seed
      - id: threads
        source: threads
      - id: ram_mib
        source: ram_mib
    out: [classification, parameters]
    sbg:x: 1800
    sbg:y: 240
  - id: split_picks
    label: Batches of picks
    run: ../tools/split-picks.cwl
    in:
      - id: picked
        source: gather_picks/picked
      - id: batch_size
        source: batch_size
    out: [batches]
    sbg:x: 1800
    sbg:y: 0
  - id: extract
    label: Cut out
    run: ../tools/extract.cwl
    scatter: picks
    in:
      - id: picks
        source: split_picks/batches
      - id: parameters
        source: decide_classification/parameters
      - id: threads
        source: batch_threads
      - id: ram_mib
        source: batch_ram_mib
    out: [extracted]
    sbg:x: 2100
    sbg:y: 0
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
    out: [classified]
    sbg:x: 2400
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
    out: [selected]
    sbg:x: 3000
    sbg:y: 240
  - id: classify_again
    label: Once more?
    run: ../tools/classify-again.cwl
    in:
      - id: classes
        source: decide_classes/selected
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
    out: [selected]
    sbg:x: 3300
    sbg:y: 240
  - id: write_stack
    label: Good particles
    run: ../tools/write-stack.cwl
    in:
      - id: particles
        source: classify_again/selected
      - id: parameters
        source: decide_classification/parameters
      - id: micrographs
        source:
          - judge/judged
        linkMerge: merge_nested
      - id: stack_pixel_size_a
        source: stack_pixel_size_a
      - id: threads
        source: threads
      - id: ram_mib
        source: ram_mib
    out: [stack, star, mrcs, cs]
    sbg:x: 3600
    sbg:y: 240
  - id: summarise
    label: The account
    run: ../tools/summarise.cwl
    in:
      - id: folders
        source:
          - judge/judged
          - decide_picking/picking
          - gather_picks/picked
          - decide_classification/classification
          - extract/extracted
          - classify/classified
          - decide_classes/selected
          - classify_again/selected
          - write_stack/stack
        linkMerge: merge_flattened
      - id: before
        source:
          - trial/trial_picking
          - trial/trial_picked
          - trial/trial_classification
          - trial/trial_classified
          - trial/trial_classes
        linkMerge: merge_flattened
    out: [ledger, report]
    sbg:x: 3900
    sbg:y: 240

outputs:
  - id: judged
    type: Directory
    label: Which micrographs
    doc: micrographs_good.star, decisions.jsonl, ledger.json and report/.
    outputSource: judge/judged
    sbg:x: 4200
    sbg:y: 0
  - id: trial_picking
    type: Directory
    label: How to pick, round one
    outputSource: trial/trial_picking
    sbg:x: 4200
    sbg:y: 120
  - id: trial_picked
    type: Directory
    label: Picks of round one
    outputSource: trial/trial_picked
    sbg:x: 4200
    sbg:y: 240
  - id: trial_classification
    type: Directory
    label: How to classify, round one
    outputSource: trial/trial_classification
    sbg:x: 4200
    sbg:y: 360
  - id: trial_classified
    type: Directory
    label: Classes of round one
    outputSource: trial/trial_classified
    sbg:x: 4200
    sbg:y: 480
  - id: trial_classes
    type: Directory
    label: Good classes of round one
    outputSource: trial/trial_classes
    sbg:x: 4200
    sbg:y: 600
  - id: picking
    type: Directory
    label: How to pick
    doc: picking.json, decisions.jsonl and report/.
    outputSource: decide_picking/picking
    sbg:x: 4200
    sbg:y: 720
  - id: picked
    type: Directory
    label: Picks
    doc: autopick.star, coordinates/ and picks.parquet.
    outputSource: gather_picks/picked
    sbg:x: 4200
    sbg:y: 840
  - id: classification
    type: Directory
    label: How to classify
    doc: classification.json, decisions.jsonl and report/.
    outputSource: decide_classification/classification
    sbg:x: 4200
    sbg:y: 960
  - id: classified
    type: Directory
    label: Classes
    doc: run_itNNN_classes.mrcs and the other files of the 2D run.
    outputSource: classify/classified
    sbg:x: 4200
    sbg:y: 1080
  - id: classes
    type: Directory
    label: Good classes
    doc: particles_good.star, class_averages_good.star, decisions.jsonl and report/.
    outputSource: decide_classes/selected
    sbg:x: 4200
    sbg:y: 1200
  - id: classes_again
    type: Directory
    label: Good classes, last round
    doc: particles_good.star of the last round, what each round did, and why there was no further.
    outputSource: classify_again/selected
    sbg:x: 4200
    sbg:y: 1320
  - id: good_particles_star
    type: File
    label: Good particles (RELION)
    outputSource: write_stack/star
    sbg:x: 4200
    sbg:y: 1440
  - id: good_particles_mrcs
    type: File
    label: Good particles (images)
    outputSource: write_stack/mrcs
    sbg:x: 4200
    sbg:y: 1560
  - id: good_particles_cs
    type: File
    label: Good particles (cryoSPARC)
    outputSource: write_stack/cs
    sbg:x: 4200
    sbg:y: 1680
  - id: ledger
    type: File
    label: Ledger
    doc: Where every micrograph and every pick ended; the sums are checked.
    outputSource: summarise/ledger
    sbg:x: 4200
    sbg:y: 1800
  - id: report
    type: Directory
    label: First page
    doc: Links the pages of all steps.
    outputSource: summarise/report
    sbg:x: 4200
    sbg:y: 1920
