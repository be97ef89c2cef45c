#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: confirm_particles
label: Does 2D classification agree
doc: |
  Compares what a learnt model kept of a sample with what 2D classification selects of it.

baseCommand: [cryoverdict, confirm-particles]
arguments: [--quiet]

inputs:
  - id: sorted
    type: Directory
    label: Sorted particles
    doc: The folder that `classify-particles` wrote.
    inputBinding:
      position: 1
  - id: selected
    type: Directory
    label: Selected classes
    doc: The folder of decide-classes on the classes of its sample.
    inputBinding:
      prefix: --selected
  - id: rules
    type:
      - "null"
      - type: array
        items: Directory
        inputBinding:
          prefix: --rules
    label: Rules of the site
    doc: Folders of your own rules and overrides, laid over the shipped ones.
  - id: output
    type: string
    default: confirmed
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
  - id: confirmed
    type: Directory
    label: Confirmation
    doc: decisions.jsonl, ledger.json and report/.
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
