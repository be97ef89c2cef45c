#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: gather_picks
label: Gather the picks of batches
doc: |
  Gathers the picks of batches, and looks again at each micrograph beside all others of the data
  set.

baseCommand: [cryoverdict, gather-picks]
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
  - id: picked_batches
    type:
      - type: array
        items: Directory
        inputBinding:
          prefix: --picked
    label: Batches of picks
    doc: 'Folders that `pick` wrote of batches.'
  - id: parameters
    type: Directory
    label: Picking parameters
    doc: The folder of decide-picking, with its picking.json.
    inputBinding:
      prefix: --parameters
  - id: picker
    type:
      - "null"
      - type: array
        items:
          type: enum
          name: picker
          symbols: [builtin, relion, topaz]
        inputBinding:
          prefix: --picker
    label: Pickers
    doc: Who picks; several make a consensus; without one the built-in picker.
  - id: given_picks
    type:
      - "null"
      - type: array
        items: [File, Directory]
        inputBinding:
          prefix: --given-picks
    label: Given picks
    doc: |
      Picks of RELION, crYOLO, Topaz or cryoSPARC, instead of the built-in picker; with --picker,
      consensus with it. Repeatable.
  - id: given_y
    type:
      type: enum
      name: given_y
      symbols: [auto, as-stored, flipped]
    default: auto
    label: Rows of given picks
    doc: |
      Whether the y of given cryoSPARC picks counts rows as they are stored or from the last one;
      auto asks the micrographs which of the two lies on particles.
    inputBinding:
      prefix: --given-y
  - id: templates
    type: File?
    label: Templates
    doc: Templates, light on dark.
    inputBinding:
      prefix: --templates
  - id: trial
    type: boolean?
    label: Trial
    doc: |
      For a first round: stop at the trial_particles of picking.json, the micrographs spread over
      defocus.
    inputBinding:
      prefix: --trial
  - id: particles
    type: int?
    label: Number of particles
    doc: Stop at so many particles instead.
    inputBinding:
      prefix: --particles
  - id: box
    type: boolean?
    label: Box files
    doc: Write .box files beside the coordinates.
    inputBinding:
      prefix: --box
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
  - id: output
    type: string
    default: picked
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
  - id: picked
    type: Directory
    label: Picks
    doc: |
      autopick.star, micrographs.star, coordinates/*.star, picks.parquet, decisions.jsonl,
      ledger.json and report/.
    outputBinding:
      glob: $(inputs.output)
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
