#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: classify_particles
label: Which particles are good
doc: |
  Scores particles by what earlier runs have taught, and keeps the good ones.

baseCommand: [cryoverdict, classify-particles]
arguments: [--quiet]

inputs:
  - id: particles
    type:
      - Directory
      - type: array
        items: Directory
    label: Particles
    doc: Folders that `extract` wrote.
    inputBinding:
      position: 1
  - id: model
    type: Directory
    label: What was learnt
    doc: The folder that `learn` wrote.
    inputBinding:
      prefix: --model
  - id: recall
    type: float
    default: 0.98
    label: Recall
    doc: Share of the good particles to keep.
    inputBinding:
      prefix: --recall
  - id: sample
    type: int
    default: 500
    label: Sample
    doc: Particles, kept and rejected alike, written for a confirmation by 2D classification.
    inputBinding:
      prefix: --sample
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
    default: sorted
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
  - id: sorted
    type: Directory
    label: Sorted particles
    doc: |
      particles_good.star, particles_rejected.star, particle_verdicts.parquet, sample/,
      decisions.jsonl, ledger.json and report/.
    outputBinding:
      glob: $(inputs.output)
  - id: sample_particles
    type: Directory
    label: Sample
    outputBinding:
      glob: $(inputs.output)/sample
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
