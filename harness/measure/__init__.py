"""Step 8: records → exact percentiles, mergeable histograms, the run's summary. Pure numpy and pyarrow."""
