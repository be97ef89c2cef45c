#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: measure_micrographs
label: Measure micrographs
doc: |
  Measures CTF, ice, film, contamination, grey values, drift and particles, and keeps small
  pictures of each micrograph for the report. Micrographs that cannot be read are listed in
  ledger.json with the reason; a batch of which none can be read is no failure of the run.

baseCommand: [cryoverdict, measure-micrographs]
arguments: [--quiet]

inputs:
  - id: micrographs
    type:
      - File
      - type: array
        items: File
    label: Micrographs
    doc: Lists of micrographs (RELION STAR, cryoSPARC .cs) or image files.
    inputBinding:
      position: 1
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
  - id: threads
    type: int
    default: 1
    label: Threads
    doc: Parallel worker processes; also the cores that the job asks for.
    inputBinding:
      prefix: --threads
  - id: output
    type: string
    default: measured
    label: Folder
    doc: Name of the folder that receives all outputs.
    inputBinding:
      prefix: --output
  - id: ram_mib
    type: int
    default: 1536
    label: Memory (MiB)
    doc: Memory that the job asks for, in MiB.

outputs:
  - id: measured
    type: Directory
    label: Measurements
    doc: features.parquet, ledger.json and the measurements of each micrograph.
    outputBinding:
      glob: $(inputs.output)
  - id: features
    type: File
    label: Feature table
    outputBinding:
      glob: $(inputs.output)/features.parquet
  - id: ledger
    type: File
    label: Ledger
    outputBinding:
      glob: $(inputs.output)/ledger.json

successCodes: [0, 3, 4]

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
