"""When the heartbeat is sent: daemon, heart, agenda, health, systemd."""
