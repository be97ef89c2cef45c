#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: simulate
label: Simulate a session
doc: |
  Simulates micrographs with known truth, for tests and demonstrations; the same seed gives the
  same bytes.

baseCommand: [cryoverdict, simulate]
arguments: [--quiet]

inputs:
  - id: spec
    type: File?
    label: Session
    doc: What to simulate (YAML); without it, the demonstration set.
    inputBinding:
      prefix: --spec
  - id: random
    type: boolean?
    label: Draw at random
    doc: Draw a whole session from the seed.
    inputBinding:
      prefix: --random
  - id: micrographs
    type: int?
    label: Number of micrographs
    doc: Number of micrographs, if not the session's own.
    inputBinding:
      prefix: --micrographs
  - id: masks
    type: boolean?
    label: True usable areas
    doc: Write the true usable areas too.
    inputBinding:
      prefix: --masks
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
    default: simulated
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
  - id: simulated
    type: Directory
    label: Simulated session
    doc: Micrographs (*.mrc), truth_micrographs.csv and truth_particles.star.
    outputBinding:
      glob: $(inputs.output)
  - id: truth_micrographs
    type: File
    label: Truth of the micrographs
    outputBinding:
      glob: $(inputs.output)/truth_micrographs.csv
  - id: truth_particles
    type: File
    label: Truth of the particles
    outputBinding:
      glob: $(inputs.output)/truth_particles.star

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
