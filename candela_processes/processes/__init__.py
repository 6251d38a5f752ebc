"""One file per process: its inputs model, its `run`, its declaration. Heavy rooms are imported inside `run` only."""
