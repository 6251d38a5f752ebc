"""What the system says about itself: log lines with fields, metrics, and marked steps at which tests inject faults.

Standard library and the metrics client only. Log lines carry ids, phases and durations; never contents of inputs,
secrets or addresses with credentials. Importing the package imports nothing: the worker needs `faults` alone.
"""
