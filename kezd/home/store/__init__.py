"""Where home keeps its state, behind async ports; SQLite now, JetStream streams later."""
