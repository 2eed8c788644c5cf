"""What people and their programs find in the outbox."""
