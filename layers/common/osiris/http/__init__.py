"""Event ⇄ request and error → answer, each in one place."""
