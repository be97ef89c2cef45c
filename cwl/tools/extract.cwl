#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: extract
label: Cut out particles
doc: |
  Cuts the picked particles out of their micrographs, as RELION does. What became of each pick is
  in particle_bins.parquet.

baseCommand: [cryoverdict, extract]
arguments: [--quiet]

inputs:
  - id: picks
    type:
      - Directory
      - type: array
        items: Directory
    label: Picks
    doc: 'Folders that `pick` wrote.'
    inputBinding:
      position: 1
  - id: parameters
    type: File
    label: Parameters
    doc: The classification.json of decide-classification.
    inputBinding:
      prefix: --parameters
  - id: micrographs
    type:
      - "null"
      - type: array
        items: [File, Directory]
        inputBinding:
          prefix: --micrographs
    label: Optics and CTF
    doc: Lists of micrographs (RELION STAR, cryoSPARC .cs) or image files.
  - id: edge
    type:
      - type: enum
        name: edge
        symbols: [particle, box, fill]
    default: particle
    label: Edge
    doc: 'What must lie inside the micrograph: most of the particle, the whole box, or nothing.'
    inputBinding:
      prefix: --edge
  - id: no_ctf_fit
    type: boolean?
    label: No CTF fit
    doc: Fit no CTF where the list has none.
    inputBinding:
      prefix: --no-ctf-fit
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
  - id: threads
    type: int
    default: 1
    label: Threads
    doc: Parallel worker processes; also the cores that the job asks for.
    inputBinding:
      prefix: --threads
  - id: output
    type: string
    default: extracted
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
  - id: extracted
    type: Directory
    label: Extracted particles
    doc: particles.star, particles/*.mrcs, particle_bins.parquet and ledger.json.
    outputBinding:
      glob: $(inputs.output)
  - id: particles
    type: File
    label: List of particles
    outputBinding:
      glob: $(inputs.output)/particles.star
  - id: ledger
    type: File
    label: Ledger
    outputBinding:
      glob: $(inputs.output)/ledger.json

successCodes: [0, 3, 4]

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
