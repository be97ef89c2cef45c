#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: split_picks
label: Deal picks into batches
doc: |
  Deals picks into batches from which jobs cut out particles side by side. Each batch is a folder
  with its part of the lists and of the coordinates.

baseCommand: [cryoverdict, split-picks]
arguments: [--quiet]

inputs:
  - id: picked
    type: Directory
    label: Picks
    doc: 'A folder that `pick` wrote.'
    inputBinding:
      position: 1
  - id: batch_size
    type: int
    default: 50
    label: Batch size
    doc: Micrographs in a batch.
    inputBinding:
      prefix: --batch-size
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
