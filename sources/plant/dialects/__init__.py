"""One module per simulated system: the part of the world it owns, in its own words."""
