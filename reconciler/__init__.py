"""Keep Azure Virtual Machine Scale Sets on the image that git declares, one update domain at a time."""

__version__ = "0.1.0"
