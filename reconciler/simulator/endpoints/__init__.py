"""The endpoints of Azure Resource Manager that clients of scale sets call, one module per kind of resource.

Each endpoint is a function `Call -> Reply`. `reconciler.simulator.routes` maps paths to endpoints.
"""
