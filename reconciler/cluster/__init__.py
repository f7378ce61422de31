"""Leader election through a Kubernetes Lease, with fencing: only one of several replicas acts."""
