#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: split_micrographs
label: Deal micrographs into batches
doc: |
  Deals judged micrographs into batches for jobs that work side by side. Each batch is a folder
  with its part of micrographs_good.star and of the usable areas. The pixels stay where they are.

baseCommand: [cryoverdict, split-micrographs]
arguments: [--quiet]

inputs:
  - id: micrographs
    type:
      - Directory
      - type: array
        items: Directory
    label: Micrographs
    doc: A folder of decide-micrographs.
    inputBinding:
      position: 1
  - id: batch_size
    type: int
    default: 50
    label: Batch size
    doc: Micrographs in a batch.
    inputBinding:
      prefix: --batch-size
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
  - id: output
    type: string
    default: batches
    label: Folder
    doc: Name of the folder that receives all outputs.
    inputBinding:
      prefix: --output
  - id: ram_mib
    type: int
    default: 512
    label: Memory (MiB)
    doc: Memory that the job asks for, in MiB.

outputs:
  - id: batches
    type: Directory[]
    label: Batches
    doc: One folder a batch, in the order of the list.
    outputBinding:
      glob: $(inputs.output)/batch_*

successCodes: [0]

requirements:
  - class: ResourceRequirement
    coresMin: 1
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
