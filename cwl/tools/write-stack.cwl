#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: write_stack
label: Write the good particle stack
doc: |
  Cuts the good particles anew, centred and at their final size, for RELION and cryoSPARC.

baseCommand: [cryoverdict, write-stack]
arguments: [--quiet]

inputs:
  - id: particles
    type:
      - Directory
      - type: array
        items: Directory
    label: Good particles
    doc: Folders of decide-classes.
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
    label: Micrographs
    doc: Lists of micrographs (RELION STAR, cryoSPARC .cs) or image files.
  - id: box_px
    type: int?
    label: Box (pixels)
    doc: Box in micrograph pixels.
    inputBinding:
      prefix: --box-px
  - id: stack_pixel_size_a
    type: float?
    label: Pixel size of the stack (Å)
    doc: Pixel size of the stack.
    inputBinding:
      prefix: --stack-pixel-size-a
  - id: copy_images
    type: boolean?
    label: Copy images
    doc: Copy the particle images as they are, instead of cutting the micrographs anew.
    inputBinding:
      prefix: --copy-images
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
    default: stack
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
  - id: stack
    type: Directory
    label: Good particle stack
    doc: good_particles.star, .mrcs, .cs, particle_bins.parquet and ledger.json.
    outputBinding:
      glob: $(inputs.output)
  - id: star
    type: File
    label: RELION list
    outputBinding:
      glob: $(inputs.output)/good_particles.star
  - id: mrcs
    type: File
    label: Images
    outputBinding:
      glob: $(inputs.output)/good_particles.mrcs
  - id: cs
    type: File
    label: cryoSPARC list
    outputBinding:
      glob: $(inputs.output)/good_particles.cs
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
