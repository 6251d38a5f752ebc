"""Runners: where a job's worker is started, watched and stopped. No room above knows which runner it is."""
