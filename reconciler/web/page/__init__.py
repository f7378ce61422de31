"""The pages for people: the fleet, a scale set, the rollouts, and one commit across the fleet.

They are made of the store, and cause no request to Azure. A page is a sequence of named parts of HTML. A
browser that has a page is sent the parts that have changed since.
"""
