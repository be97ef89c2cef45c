#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: decide_picking
label: Decide how to pick
doc: |
  Decides diameter, threshold, spacing and the rest of picking from the good micrographs, from
  rules, and, in a second round, from the good class averages of the first.

baseCommand: [cryoverdict, decide-picking]
arguments: [--quiet]

inputs:
  - id: micrographs
    type:
      - Directory
      - type: array
        items: Directory
    label: Micrographs
    doc: Folders of decide-micrographs or split-micrographs.
    inputBinding:
      position: 1
  - id: diameter_a
    type: float?
    label: Particle diameter (Å)
    doc: 'Particle diameter in Å, where you know it: followed, and compared with the images.'
    inputBinding:
      prefix: --diameter-a
  - id: class_averages
    type: Directory?
    label: Classes of round one
    doc: |
      Folder of decide-classes of round one: diameter and templates are taken from its good class
      averages.
    inputBinding:
      prefix: --class-averages
      valueFrom: $(self.path)/class_averages_good.star
  - id: good_particles
    type: Directory?
    label: Good particles of round one
    doc: 'Folder of decide-classes of round one: how many of its picks were good is reported.'
    inputBinding:
      prefix: --good-particles
      valueFrom: $(self.path)/particles_good.star
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
    default: picking
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
  - id: picking
    type: Directory
    label: Picking parameters
    doc: |
      picking.json, decisions.jsonl, ledger.json, report/ and, in a second round, templates.mrcs.
    outputBinding:
      glob: $(inputs.output)
  - id: parameters
    type: File
    label: Parameters
    outputBinding:
      glob: $(inputs.output)/picking.json
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
