"""What is measured: subjects, readers, and one file per family of measurements."""
