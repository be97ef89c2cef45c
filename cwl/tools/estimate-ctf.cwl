#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: estimate_ctf
label: Estimate the CTF
doc: |
  Estimates defocus, astigmatism and resolution from the Thon rings. A CTF that a list has already
  is compared, not used.

baseCommand: [cryoverdict, estimate-ctf]
arguments: [--quiet]

inputs:
  - id: micrographs
    type: File[]
    label: Micrographs
    doc: Lists of micrographs (RELION STAR, cryoSPARC .cs) or image files.
    inputBinding:
      position: 1
  - id: power_spectra
    type: boolean?
    label: Stored power spectra
    doc: The inputs are stored power spectra (*_PS.mrc), or a list that names them.
    inputBinding:
      prefix: --power-spectra
  - id: phase_plate
    type: boolean?
    label: Phase plate
    doc: Search for a phase shift too.
    inputBinding:
      prefix: --phase-plate
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
    default: ctf
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
  - id: ctf
    type: Directory
    label: CTF estimates
    doc: micrographs_ctf.star and ledger.json.
    outputBinding:
      glob: $(inputs.output)
  - id: micrographs_ctf
    type: File
    label: Micrographs with CTF
    outputBinding:
      glob: $(inputs.output)/micrographs_ctf.star
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
