"""How it is called: the command line and its CWL tools and workflows."""
