#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: Workflow
id: judge_micrographs
label: Judge micrographs
doc: |
  Which micrographs to keep, and why. The lists are measured side by side, one job a list; one job
  then decides on all of them, since a micrograph is also compared with the others of its session.

$namespaces:
  sbg: https://www.sevenbridges.com/

requirements:
  - class: ScatterFeatureRequirement

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
      The cryoSPARC exposures (.cs) of which the lists were made; micrographs_good.cs is written
      then, with their records and uids.
    sbg:x: 300
    sbg:y: 960
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
  - id: batch_threads
    type: int
    default: 1
    label: Threads of a batch
    doc: Cores for each job that works on one batch.
    sbg:x: 0
    sbg:y: 600
  - id: batch_ram_mib
    type: int
    default: 1536
    label: Memory of a batch (MiB)
    doc: Memory for each job that works on one batch; a thread needs about 20 bytes a pixel.
    sbg:x: 0
    sbg:y: 720
  - id: rules
    type: Directory[]?
    label: Rules of the site
    doc: Folders of your own rules and overrides, laid over the shipped ones; a later one wins.
    sbg:x: 300
    sbg:y: 480
  - id: model
    type: File?
    label: Model of the micrographs
    doc: 'A model of micrographs written by `cryoverdict train`, instead of the shipped one.'
    sbg:x: 300
    sbg:y: 600
  - id: learnt
    type: Directory?
    label: What was learnt
    doc: 'A folder that `cryoverdict learn` wrote; its expected yields join as evidence.'
    sbg:x: 300
    sbg:y: 1200
  - id: threads
    type: int
    default: 1
    label: Threads
    doc: Cores for each job that works on the whole data set.
    sbg:x: 300
    sbg:y: 720
  - id: ram_mib
    type: int
    default: 4096
    label: Memory (MiB)
    doc: Memory for each job that works on the whole data set.
    sbg:x: 300
    sbg:y: 840

steps:
  - id: measure
    label: Measure
    run: ../tools/measure-micrographs.cwl
    scatter: micrographs
    in:
      - id: micrographs
        source: micrographs
      - id: pixel_size_a
        source: pixel_size_a
      - id: voltage_kv
        source: voltage_kv
      - id: cs_mm
        source: cs_mm
      - id: amplitude_contrast
        source: amplitude_contrast
      - id: threads
        source: batch_threads
      - id: ram_mib
        source: batch_ram_mib
    out: [measured]
    sbg:x: 300
    sbg:y: 240
  - id: decide_micrographs
    label: Which micrographs?
    run: ../tools/decide-micrographs.cwl
    in:
      - id: micrographs
        source: micrographs
      - id: features
        source: measure/measured
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
    out: [judged]
    sbg:x: 600
    sbg:y: 240

outputs:
  - id: judged
    type: Directory
    label: Judged micrographs
    doc: |
      micrographs_good.star, micrographs_rejected.star, decisions.jsonl, ledger.json and report/.
    outputSource: decide_micrographs/judged
    sbg:x: 900
    sbg:y: 240
