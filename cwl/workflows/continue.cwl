#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: Workflow
id: continue
label: From more micrographs to good particles, by what was learnt
doc: |
  The rest of a session, or the next one of the same particle: micrographs are judged and picked,
  and particles kept, with what earlier runs have taught. Nothing is surveyed or settled anew, there
  is no trial round, and 2D classification sees a sample only, to confirm.

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
    doc: Batches of one list, as `cryoverdict split-micrographs` writes them; one list is one batch.
    sbg:x: 0
    sbg:y: 0
  - id: exposures
    type: File[]?
    label: Exposures
    doc: |
      The cryoSPARC exposures (.cs) of which the lists were made; judged/micrographs_good.cs is
      written then, with their records and uids.
    sbg:x: 0
    sbg:y: -120
  - id: learnt
    type: Directory
    label: What was learnt
    doc: 'A folder that `cryoverdict learn` wrote.'
    sbg:x: 0
    sbg:y: 120
  - id: classification
    type: File
    label: How to cut particles out
    doc: 'The classification.json of what was learnt.'
    sbg:x: 0
    sbg:y: 240
  - id: confirmation
    type: File
    label: How to classify the sample
    doc: 'The confirmation.json of what was learnt.'
    sbg:x: 0
    sbg:y: 360
  - id: pixel_size_a
    type: float?
    label: Pixel size (Å)
    doc: Pixel size in Å, where the files lack it.
    sbg:x: 0
    sbg:y: 480
  - id: voltage_kv
    type: float?
    label: Voltage (kV)
    doc: Acceleration voltage in kV, where the lists lack it.
    sbg:x: 0
    sbg:y: 600
  - id: cs_mm
    type: float?
    label: Spherical aberration (mm)
    doc: Spherical aberration in mm, where the lists lack it.
    sbg:x: 0
    sbg:y: 720
  - id: amplitude_contrast
    type: float?
    label: Amplitude contrast
    doc: Amplitude contrast, 0 to 1, where the lists lack it.
    sbg:x: 0
    sbg:y: 840
  - id: model
    type: File?
    label: Model of the micrographs
    doc: 'A model of micrographs written by `cryoverdict train`, instead of the shipped one.'
    sbg:x: 0
    sbg:y: 960
  - id: rules
    type: Directory[]?
    label: Rules of the site
    doc: Folders of your own rules and overrides, laid over the shipped ones; a later one wins.
    sbg:x: 0
    sbg:y: 1080
  - id: batch_threads
    type: int
    default: 1
    label: Threads of a batch
    doc: Cores for each job that works on one batch.
    sbg:x: 0
    sbg:y: 1200
  - id: batch_ram_mib
    type: int
    default: 1536
    label: Memory of a batch (MiB)
    doc: Memory for each job that works on one batch; a thread needs about 20 bytes a pixel.
    sbg:x: 0
    sbg:y: 1320
  - id: threads
    type: int
    default: 1
    label: Threads
    doc: Cores for each job that works on the whole data set.
    sbg:x: 300
    sbg:y: 480
  - id: ram_mib
    type: int
    default: 4096
    label: Memory (MiB)
    doc: Memory for each job that works on the whole data set.
    sbg:x: 300
    sbg:y: 600
  - id: recall
    type: float
    default: 0.98
    label: Recall
    doc: Share of the good particles to keep, as far as the model could tell on held-out data.
    sbg:x: 300
    sbg:y: 720
  - id: sample
    type: int
    default: 500
    label: Sample
    doc: Particles that 2D classification confirms.
    sbg:x: 300
    sbg:y: 840
  - id: classifier
    type:
      type: enum
      name: classifier
      symbols: [builtin, relion]
    default: builtin
    label: Classifier
    doc: The embedded 2D classifier, or an installed RELION's.
    sbg:x: 300
    sbg:y: 960
  - id: device
    type:
      type: enum
      name: device
      symbols: [cpu, cuda, auto]
    default: auto
    label: Device
    doc: Where the embedded classifier computes; auto takes a GPU where there is one.
    sbg:x: 300
    sbg:y: 1080
  - id: seed
    type: int
    default: 0
    label: Seed
    doc: Random seed; the same seed gives the same bytes.
    sbg:x: 300
    sbg:y: 1200
  - id: batch_size
    type: int
    default: 50
    label: Batch size
    doc: Good micrographs in a batch; picking and extraction are dealt over these.
    sbg:x: 300
    sbg:y: 1320
  - id: stack_pixel_size_a
    type: float?
    label: Pixel size of the stack (Å)
    doc: Pixel size of the final stack; without it the stack is not binned.
    sbg:x: 1800
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
      - id: learnt
        source: learnt
      - id: threads
        source: threads
      - id: ram_mib
        source: ram_mib
      - id: batch_threads
        source: batch_threads
      - id: batch_ram_mib
        source: batch_ram_mib
    out: [judged]
    sbg:x: 600
    sbg:y: 0
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
  - id: pick
    label: Pick
    run: ../tools/pick.cwl
    scatter: micrographs
    in:
      - id: micrographs
        source: split/batches
      - id: parameters
        source: learnt
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
        source: learnt
      - id: rules
        source: rules
      - id: threads
        source: threads
      - id: ram_mib
        source: ram_mib
    out: [picked]
    sbg:x: 1500
    sbg:y: 0
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
        source: classification
      - id: threads
        source: batch_threads
      - id: ram_mib
        source: batch_ram_mib
    out: [extracted]
    sbg:x: 2100
    sbg:y: 0
  - id: classify_particles
    label: Which particles?
    run: ../tools/classify-particles.cwl
    in:
      - id: particles
        source: extract/extracted
      - id: model
        source: learnt
      - id: recall
        source: recall
      - id: sample
        source: sample
      - id: seed
        source: seed
      - id: threads
        source: threads
      - id: ram_mib
        source: ram_mib
    out: [sorted, sample_particles]
    sbg:x: 2400
    sbg:y: 0
  - id: classify_sample
    label: Classify a sample
    run: ../tools/classify.cwl
    in:
      - id: particles
        source:
          - classify_particles/sample_particles
        linkMerge: merge_nested
      - id: parameters
        source: confirmation
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
    sbg:x: 2700
    sbg:y: 240
  - id: decide_sample
    label: Which classes of the sample?
    run: ../tools/decide-classes.cwl
    in:
      - id: run
        source: classify_sample/classified
      - id: rules
        source: rules
      - id: ram_mib
        source: ram_mib
    out: [selected]
    sbg:x: 3000
    sbg:y: 240
  - id: confirm
    label: Does it agree?
    run: ../tools/confirm-particles.cwl
    in:
      - id: sorted
        source: classify_particles/sorted
      - id: selected
        source: decide_sample/selected
      - id: rules
        source: rules
      - id: ram_mib
        source: ram_mib
    out: [confirmed]
    sbg:x: 3300
    sbg:y: 240
  - id: write_stack
    label: Good particles
    run: ../tools/write-stack.cwl
    in:
      - id: particles
        source: classify_particles/sorted
      - id: parameters
        source: classification
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
    sbg:x: 2700
    sbg:y: 0
  - id: summarise
    label: The account
    run: ../tools/summarise.cwl
    in:
      - id: folders
        source:
          - judge/judged
          - gather_picks/picked
          - extract/extracted
          - classify_particles/sorted
          - write_stack/stack
          - confirm/confirmed
        linkMerge: merge_flattened
    out: [ledger, report]
    sbg:x: 3600
    sbg:y: 0

outputs:
  - id: judged
    type: Directory
    label: Which micrographs
    doc: micrographs_good.star, decisions.jsonl, ledger.json and report/.
    outputSource: judge/judged
    sbg:x: 3900
    sbg:y: 0
  - id: picked
    type: Directory
    label: Picks
    doc: autopick.star, coordinates/ and picks.parquet.
    outputSource: gather_picks/picked
    sbg:x: 3900
    sbg:y: 120
  - id: sorted
    type: Directory
    label: Which particles
    doc: particles_good.star with each particle's probability, decisions.jsonl and report/.
    outputSource: classify_particles/sorted
    sbg:x: 3900
    sbg:y: 240
  - id: sample_classified
    type: Directory
    label: Classes of the sample
    outputSource: classify_sample/classified
    sbg:x: 3900
    sbg:y: 360
  - id: sample_classes
    type: Directory
    label: Good classes of the sample
    outputSource: decide_sample/selected
    sbg:x: 3900
    sbg:y: 480
  - id: confirmed
    type: Directory
    label: Confirmation
    doc: Whether 2D classification of the sample agrees.
    outputSource: confirm/confirmed
    sbg:x: 3900
    sbg:y: 600
  - id: good_particles_star
    type: File
    label: Good particles (RELION)
    outputSource: write_stack/star
    sbg:x: 3900
    sbg:y: 720
  - id: good_particles_mrcs
    type: File
    label: Good particles (images)
    outputSource: write_stack/mrcs
    sbg:x: 3900
    sbg:y: 840
  - id: good_particles_cs
    type: File
    label: Good particles (cryoSPARC)
    outputSource: write_stack/cs
    sbg:x: 3900
    sbg:y: 960
  - id: ledger
    type: File
    label: Ledger
    doc: Where every micrograph and every pick ended; the sums are checked.
    outputSource: summarise/ledger
    sbg:x: 3900
    sbg:y: 1080
  - id: report
    type: Directory
    label: First page
    doc: Links the pages of all steps.
    outputSource: summarise/report
    sbg:x: 3900
    sbg:y: 1200
