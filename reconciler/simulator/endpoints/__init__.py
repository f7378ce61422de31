"""The Azure Resource Manager endpoints that scale set clients call, one module per kind of resource.

Each endpoint is a function `Call -> Reply`. `reconciler.simulator.routes` maps paths to endpoints.
"""
