"""One of several replicas acts: leader election by a Lease of Kubernetes, with fencing."""
