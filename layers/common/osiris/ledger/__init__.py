"""The rules of money: pure functions of (state, command, now). No clock, randomness or I/O."""
