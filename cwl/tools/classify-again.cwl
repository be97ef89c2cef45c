#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: classify_again
label: Classify the good particles again
doc: |
  Classifies the good particles again, and selects again, while much is newly rejected: whether
  another round follows is decided by rules, and bounded. Where none is needed the particles pass
  as they are.

baseCommand: [cryoverdict, classify-again]
arguments: [--quiet]

inputs:
  - id: classes
    type: Directory
    label: Selected classes
    doc: 'Folder that `decide-classes` wrote.'
    inputBinding:
      position: 1
  - id: particles
    type:
      - type: array
        items: Directory
        inputBinding:
          prefix: --particles
    label: Particles
    doc: 'Folders that `extract` wrote and that were classified.'
  - id: parameters
    type: File
    label: Parameters
    doc: 'The classification.json of `decide-classification`.'
    inputBinding:
      prefix: --parameters
  - id: classifier
    type:
      - type: enum
        name: classifier
        symbols: [builtin, relion]
    default: builtin
    label: Classifier
    doc: The embedded classifier, or an installed RELION's relion_refine.
    inputBinding:
      prefix: --classifier
  - id: device
    type:
      - type: enum
        name: device
        symbols: [cpu, cuda, auto]
    default: auto
    label: Device
    doc: Where the embedded classifier computes; auto takes a GPU where there is one.
    inputBinding:
      prefix: --device
  - id: memory_mib
    type: int
    default: 1536
    label: Memory for particles (MiB)
    doc: Memory for prepared particles; larger sets are read from disk in every iteration.
    inputBinding:
      prefix: --memory-mib
  - id: judge
    type: File?
    label: Models of the classes
    doc: 'Models written by `train-classes`, instead of the shipped ones.'
    inputBinding:
      prefix: --judge
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
    default: classes_again
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
  - id: selected
    type: Directory
    label: Selected classes
    doc: |
      particles_good.star, class_averages_good.star and selected_classes.mrcs of the last round,
      round_N/ with all of each further one, decisions.jsonl, ledger.json and report/.
    outputBinding:
      glob: $(inputs.output)
  - id: ledger
    type: File
    label: Ledger
    outputBinding:
      glob: $(inputs.output)/ledger.json

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
