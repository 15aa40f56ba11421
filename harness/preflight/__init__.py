"""Before step 4: can this machine carry the scenario? Limits, arithmetic, remedies."""
