"""What all rooms hand on: requests, answers, messages, findings, events, errors."""
