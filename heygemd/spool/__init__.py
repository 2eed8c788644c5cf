"""The disk is the state machine: inbox, work and outbox."""
