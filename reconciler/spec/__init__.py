"""The types of a spec, and how spec files are read and validated."""
