"""Arrays in, arrays out: the science, free of files and product formats; each module names its paper.

Law of this room: numpy and numba only; no files, no rasters, no declarations. Images arrive as re-callable
streams of tiles, so that memory stays flat however large the image is.
"""
