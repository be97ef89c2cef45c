#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: learn
label: Learn from finished runs
doc: |
  Learns from finished runs what their good particles and good micrographs look like, unless a guard
  speaks against it.

baseCommand: [cryoverdict, learn]
arguments: [--quiet]

inputs:
  - id: runs
    type:
      - type: array
        items: Directory
    label: Finished runs
    doc: Folders of finished runs of `run`.
    inputBinding:
      position: 1
  - id: before
    type: Directory?
    label: Model before
    doc: An earlier model, which this one must not be worse than.
    inputBinding:
      prefix: --before
  - id: catalogue
    type: string?
    label: Catalogue
    doc: Enter the labels that follow for micrographs, marked as derived, into this catalogue.
    inputBinding:
      prefix: --catalogue
  - id: rules
    type:
      - "null"
      - type: array
        items: Directory
        inputBinding:
          prefix: --rules
    label: Rules of the site
    doc: Folders of your own rules and overrides, laid over the shipped ones.
  - id: seed
    type: int
    default: 0
    label: Seed
    doc: Random seed.
    inputBinding:
      prefix: --seed
  - id: threads
    type: int
    default: 1
    label: Threads
    doc: Parallel worker processes; also the cores that the job asks for.
    inputBinding:
      prefix: --threads
  - id: output
    type: string
    default: learnt
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
  - id: learnt
    type: Directory
    label: What was learnt
    doc: |
      model.json, picking.json, classification.json, confirmation.json, queue.csv, decisions.jsonl
      and report/.
    outputBinding:
      glob: $(inputs.output)
  - id: classification
    type: File
    label: How to cut particles out
    outputBinding:
      glob: $(inputs.output)/classification.json
  - id: confirmation
    type: File
    label: How to classify the sample
    outputBinding:
      glob: $(inputs.output)/confirmation.json

successCodes: [0]

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
