"""The daemon itself, run forward on a predicted fleet."""
