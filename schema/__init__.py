"""The canonical model: plain dataclasses by ISA-95 domain, enums and the error tree. Standard library only."""
