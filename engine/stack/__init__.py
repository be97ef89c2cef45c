"""The final stack: good particles cut anew, centred, for RELION and cryoSPARC."""
