"""The client of a cluster's API server: official Kubernetes client below, geofence's errors above.

``login`` makes the client's configuration from a kubeconfig or the pod's service account,
``connection`` sends requests, ``refusals`` says what a server's refusal means, ``client`` reads,
applies and deletes objects. The Kubernetes client is an extra, imported only on use.
"""
