"""May we, and how: settings, flags, consent, docker.env."""
