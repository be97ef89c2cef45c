#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: decide_classification
label: Decide how to classify
doc: |
  Decides box, binning, number of classes, mask and the rest of extraction and 2D classification,
  from the picks, from rules, and, in a second round, from trials on the particles of the first.

baseCommand: [cryoverdict, decide-classification]
arguments: [--quiet]

inputs:
  - id: picks
    type:
      - Directory
      - type: array
        items: Directory
    label: Picks
    doc: 'Folders that `pick` wrote.'
    inputBinding:
      position: 1
  - id: picking
    type: File
    label: Picking parameters
    doc: 'The picking.json of `decide-picking`.'
    inputBinding:
      prefix: --picking
  - id: micrographs
    type:
      - "null"
      - type: array
        items: [File, Directory]
        inputBinding:
          prefix: --micrographs
    label: Micrographs
    doc: Lists of micrographs (RELION STAR, cryoSPARC .cs) or image files.
  - id: trial_particles
    type:
      - "null"
      - type: array
        items: [File, Directory]
        inputBinding:
          prefix: --trial-particles
    label: Particles of round one
    doc: |
      Folders of `extract` of round one, or lists of extracted particles, on which mask diameters
      are tried.
  - id: class_count
    type: int?
    label: Number of classes
    doc: Number of classes.
    inputBinding:
      prefix: --class-count
  - id: box_px
    type: int?
    label: Box (pixels)
    doc: Box, full-size pixels.
    inputBinding:
      prefix: --box-px
  - id: binned_box_px
    type: int?
    label: Binned box (pixels)
    doc: Box after Fourier cropping.
    inputBinding:
      prefix: --binned-box-px
  - id: mask_diameter_a
    type: float?
    label: Mask diameter (Å)
    doc: Mask diameter in Å.
    inputBinding:
      prefix: --mask-diameter-a
  - id: resolution_limit_a
    type: float?
    label: Resolution limit (Å)
    doc: Finest detail compared, in Å.
    inputBinding:
      prefix: --resolution-limit-a
  - id: iterations
    type: int?
    label: Iterations
    doc: Iterations.
    inputBinding:
      prefix: --iterations
  - id: pixel_size_a
    type: float?
    label: Pixel size (Å)
    doc: Pixel size in Å, where the files lack it.
    inputBinding:
      prefix: --pixel-size-a
  - id: voltage_kv
    type: float?
    label: Voltage (kV)
    doc: Acceleration voltage in kV.
    inputBinding:
      prefix: --voltage-kv
  - id: cs_mm
    type: float?
    label: Spherical aberration (mm)
    doc: Spherical aberration in mm.
    inputBinding:
      prefix: --cs-mm
  - id: amplitude_contrast
    type: float?
    label: Amplitude contrast
    doc: Amplitude contrast, 0 to 1.
    inputBinding:
      prefix: --amplitude-contrast
  - id: rules
    type:
      - "null"
      - type: array
        items: Directory
        inputBinding:
          prefix: --rules
    label: Rules of the site
    doc: Folders of your own rules and overrides, laid over the shipped ones.
  - id: threads
    type: int
    default: 1
    label: Threads
    doc: Parallel worker processes; also the cores that the job asks for.
    inputBinding:
      prefix: --threads
  - id: seed
    type: int
    default: 0
    label: Seed
    doc: Random seed.
    inputBinding:
      prefix: --seed
  - id: output
    type: string
    default: classification
    label: Folder
    doc: Name of the folder that receives all outputs.
    inputBinding:
      prefix: --output
  - id: ram_mib
    type: int
    default: 4096
    label: Memory (MiB)
    doc: Memory that the job asks for, in MiB.

outputs:
  - id: classification
    type: Directory
    label: Classification parameters
    doc: classification.json, decisions.jsonl, ledger.json and report/.
    outputBinding:
      glob: $(inputs.output)
  - id: parameters
    type: File
    label: Parameters
    outputBinding:
      glob: $(inputs.output)/classification.json
  - id: ledger
    type: File
    label: Ledger
    outputBinding:
      glob: $(inputs.output)/ledger.json

successCodes: [0, 4]

requirements:
  - class: ResourceRequirement
    coresMin: $(inputs.threads)
    ramMin: $(inputs.ram_mib)

hints:
  - class: SoftwareRequirement
    packages:
      - package: cryoverdict
        version: ["0.1.0"]
  - class: DockerRequirement
    dockerPull: cryoverdict:0.1.0
  - class: EnvVarRequirement
    envDef:
      - envName: CRYOVERDICT_VERSION
        envValue: "0.1.0"
      - envName: OMP_NUM_THREADS
        envValue: "1"
      - envName: OPENBLAS_NUM_THREADS
        envValue: "1"
      - envName: OPENBLAS_CORETYPE
        envValue: Haswell
