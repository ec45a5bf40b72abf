"""JSON as models write it: reading, coercion after a schema, patches."""
