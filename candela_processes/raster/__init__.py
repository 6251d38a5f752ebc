"""Pixels <-> files: drivers, grids, scenes, COGs, quick-looks; the only room that opens rasters."""
