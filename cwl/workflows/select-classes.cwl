#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: Workflow
id: select_classes
label: Select 2D classes
doc: |
  Which class averages are good, what is wrong with the others, and why; for a 2D classification
  that another program made. Give the folder of a run, or images.

$namespaces:
  sbg: https://www.sevenbridges.com/

inputs:
  - id: run
    type: Directory?
    label: Folder of a 2D run
    doc: |
      Folder of a 2D classification of RELION (its run_itNNN files; the newest iteration is taken)
      or of `cryoverdict classify`. Its images have to be found by the names in its files.
    sbg:x: 0
    sbg:y: 0
  - id: class_images
    type: File[]?
    label: Class averages
    doc: |
      Instead of a run, images of class averages (PNG, JPEG, TIFF, MRC stacks) or the .cs files of
      a cryoSPARC job; what needs tables could not say then.
    sbg:x: 0
    sbg:y: 120
  - id: pixel_size_a
    type: float?
    label: Pixel size (Å)
    doc: Pixel size in Å, where the files lack it.
    sbg:x: 0
    sbg:y: 240
  - id: rules
    type: Directory[]?
    label: Rules of the site
    doc: Folders of your own rules and overrides, laid over the shipped ones; a later one wins.
    sbg:x: 0
    sbg:y: 360
  - id: judge
    type: File?
    label: Models of the classes
    doc: 'Models written by `cryoverdict train-classes`, instead of the shipped ones.'
    sbg:x: 0
    sbg:y: 480
  - id: ram_mib
    type: int
    default: 4096
    label: Memory (MiB)
    doc: Memory for each job that works on the whole data set.
    sbg:x: 0
    sbg:y: 600

steps:
  - id: decide_classes
    label: Which classes?
    run: ../tools/decide-classes.cwl
    in:
      - id: run
        source: run
      - id: classes
        source: class_images
      - id: pixel_size_a
        source: pixel_size_a
      - id: rules
        source: rules
      - id: judge
        source: judge
      - id: ram_mib
        source: ram_mib
    out: [selected]
    sbg:x: 300
    sbg:y: 240

outputs:
  - id: classes
    type: Directory
    label: Good classes
    doc: |
      particles_good.star, class_averages_good.star, backup_selection.star, decisions.jsonl and
      report/.
    outputSource: decide_classes/selected
    sbg:x: 600
    sbg:y: 240
