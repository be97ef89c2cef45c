#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: decide_classes
label: Decide which classes are good
doc: |
  Decides which class averages are good, what is wrong with the others, and why, and keeps the
  particles of the good ones. Give one run of RELION or `classify`, or images of class averages
  alone, or the .cs files of a cryoSPARC job.

baseCommand: [cryoverdict, decide-classes]
arguments: [--quiet]

inputs:
  - id: classes
    type:
      - "null"
      - type: array
        items: [File, Directory]
    label: Class averages
    doc: Images (PNG, JPEG, TIFF, MRC stacks), or the .cs files of a cryoSPARC job.
    inputBinding:
      position: 1
  - id: model
    type: File?
    label: Model of a run
    doc: |
      run_itNNN_model.star of a RELION 2D classification, where its images can be found by their
      names; else give the run's folder.
    inputBinding:
      prefix: --model
  - id: data
    type: File?
    label: Data of a run
    doc: run_itNNN_data.star of the same run.
    inputBinding:
      prefix: --data
  - id: run
    type: Directory?
    label: Folder of a run
    doc: Folder of a 2D run; its newest iteration is taken.
    inputBinding:
      prefix: --run
  - id: images
    type:
      - "null"
      - type: array
        items: [File, Directory]
        inputBinding:
          prefix: --classes
    label: Further class averages
    doc: Images, stacks, folders or .cs files of class averages; repeatable.
  - id: judge
    type: File?
    label: Models of the classes
    doc: 'Models written by `train-classes`, instead of the shipped ones.'
    inputBinding:
      prefix: --judge
  - id: pixel_size_a
    type: float?
    label: Pixel size (Å)
    doc: Pixel size in Å, where the files lack it.
    inputBinding:
      prefix: --pixel-size-a
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
    default: classes
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
  - id: selected
    type: Directory
    label: Selected classes
    doc: |
      particles_good.star, class_averages_good.star, selected_classes.mrcs, backup_selection.star,
      decisions.jsonl, ledger.json and report/.
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
