#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: summarise
label: Account for the run
doc: |
  Accounts for every micrograph and particle of a run in one ledger, after checking that each step
  got what the one before it kept, and writes the first page, which links the pages of the steps.

baseCommand: [cryoverdict, summarise]
arguments: [--quiet]

inputs:
  - id: folders
    type: Directory[]
    label: Folders of the steps
    doc: The steps in order; batches of a step are added up.
    inputBinding:
      position: 1
  - id: before
    type:
      - "null"
      - type: array
        items: Directory
        inputBinding:
          prefix: --before
    label: Steps of round one
    doc: Folder of a step of round one, for the page alone; repeatable.
  - id: output
    type: string
    default: summary
    label: Folder
    doc: Name of the folder that receives all outputs.
    inputBinding:
      prefix: --output
  - id: ram_mib
    type: int
    default: 1024
    label: Memory (MiB)
    doc: Memory that the job asks for, in MiB.

outputs:
  - id: ledger
    type: File
    label: Ledger of the run
    outputBinding:
      glob: $(inputs.output)/ledger.json
  - id: report
    type: Directory
    label: First page
    doc: Links the pages of steps whose folders stand beside it.
    outputBinding:
      glob: $(inputs.output)/report

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
