"""Pictures of a model and of an episode: shapes, written as SVG, PNG, PDF or Mermaid."""
