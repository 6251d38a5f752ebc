"""Runs one attempt of a job: stage in, run, check outputs; by the worker's child and for inline processes.

Importing the package imports nothing.
"""
