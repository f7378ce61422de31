"""The web pages: the fleet, a scale set, the rollouts, and one commit across the fleet.

They are rendered from the store, and cause no requests to Azure. A page is a sequence of named parts of HTML.
A browser that already has a page is sent only the parts that have changed since then.
"""
