"""The tests. As labkit's own commands, they do without a grammar that takes a second."""

from labkit.machine.patches import skip_address_grammar

skip_address_grammar()
