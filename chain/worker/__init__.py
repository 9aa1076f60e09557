"""The process that runs the loops: one leads, all end in time."""
