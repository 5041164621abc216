"""The whole, under a real systemd, browser or terminal."""
