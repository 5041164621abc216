"""When the heartbeat is sent. daemon.py is the process, heart.py decides, due.py computes the times."""
