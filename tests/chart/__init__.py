"""The Helm chart in deploy/chart/, rendered by helm and checked with the schemas of Kubernetes (`make test-chart`)."""
