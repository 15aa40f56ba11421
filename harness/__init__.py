"""The half that drives load, measures and judges."""
