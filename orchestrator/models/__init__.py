"""Which deployments can be called, who serves which route, and how they fare."""
