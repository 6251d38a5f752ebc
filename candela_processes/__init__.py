"""Earth-observation analytics as OGC API - Processes."""
