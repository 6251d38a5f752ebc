"""The job: its record, the stores that keep it and the directory that server and worker share.

Importing the package imports nothing: the worker needs `jobs.directory` alone.
"""
