"""What git declares: the types of a spec, and how files become them."""
