"""How each component is got from a package registry, once, into the user's cache."""
