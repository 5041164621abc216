"""The process: server, routes, protocol, logs."""
