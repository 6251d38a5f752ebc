"""The supervisor of one attempt: `python -m candela_processes.worker <jobdir> --attempt N [--lock-fd FD]`.

It starts the analytic as its child (`-m candela_processes.execution`, by name), holds it to its limits, keeps its
logs, ends whatever it leaves behind and writes the outcome where the child could not. It goes on when server or
dispatcher die. Apart from the standard library it imports `jobs` (directory, processes, outcomes), `errors` and
`telemetry.faults` only, so it starts fast, stays small and cannot be broken by the libraries of an analytic.
"""
