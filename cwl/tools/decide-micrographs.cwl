#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: decide_micrographs
label: Decide which micrographs to keep
doc: |
  Decides which micrographs to keep, says what is wrong with the others, and why. The rules are
  those of the installed version, with those of the site laid over them.

baseCommand: [cryoverdict, decide-micrographs]
arguments: [--quiet]

inputs:
  - id: micrographs
    type: File[]?
    label: Micrographs
    doc: Lists of micrographs (RELION STAR, cryoSPARC .cs) or image files.
    inputBinding:
      position: 1
  - id: features
    type:
      - "null"
      - type: array
        items: Directory
        inputBinding:
          prefix: --features
    label: Measurements
    doc: Folders of measure-micrographs; then no image is read.
  - id: exposures
    type:
      - "null"
      - type: array
        items: File
        inputBinding:
          prefix: --exposures
    label: Exposures
    doc: The cryoSPARC exposures of which STAR lists were made; .cs lists are written then.
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
  - id: model
    type: File?
    label: Model
    doc: 'A model written by `train`, instead of the shipped one.'
    inputBinding:
      prefix: --model
  - id: learnt
    type: Directory?
    label: What was learnt
    doc: 'A folder that `learn` wrote; its expected yields join as evidence.'
    inputBinding:
      prefix: --learnt
  - id: threads
    type: int
    default: 1
    label: Threads
    doc: Parallel worker processes; also the cores that the job asks for.
    inputBinding:
      prefix: --threads
  - id: output
    type: string
    default: judged
    label: Folder
    doc: Name of the folder that receives all outputs.
    inputBinding:
      prefix: --output
  - id: ram_mib
    type: int
    default: 2048
    label: Memory (MiB)
    doc: Memory that the job asks for, in MiB.

outputs:
  - id: judged
    type: Directory
    label: Judged micrographs
    doc: |
      micrographs_good.star, micrographs_rejected.star, decisions.jsonl, features.parquet,
      usable_area/, ledger.json and report/.
    outputBinding:
      glob: $(inputs.output)
  - id: good
    type: File
    label: Good micrographs
    outputBinding:
      glob: $(inputs.output)/micrographs_good.star
  - id: decisions
    type: File
    label: Decisions
    outputBinding:
      glob: $(inputs.output)/decisions.jsonl
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
