"""Cannot be imported."""

raise RuntimeError("told not to start")
