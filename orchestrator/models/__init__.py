"""What can be called, and how it fares."""
