"""What every event store must do, whatever it is made of. These tests know its interface and nothing else."""
