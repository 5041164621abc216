"""The run file: written by the wrapper, parsed by whoever collects it."""
