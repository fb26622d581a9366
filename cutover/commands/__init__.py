"""The commands of `carryover`, a module for each group of them; `cutover.cli` puts them together."""
