"""The proof that off is silent: every verb in an empty network namespace, silent and beside that loud."""
