"""The classification step: particles and settings in, RELION files, account and checks out."""
