"""Personas and conversations: who answers, what is remembered, and that no turn is lost."""
