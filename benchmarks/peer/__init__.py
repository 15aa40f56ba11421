"""Other people's load generators, one file each, behind one small interface."""
