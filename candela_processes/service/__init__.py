"""The use-cases: submit, status, results, dismiss, list, and the dispatcher's round. HTTP-free and without globals."""
