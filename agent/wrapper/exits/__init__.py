"""Which program failed, where no trace can say: from the kernel's exit events and the script's text."""
