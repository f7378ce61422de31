"""The demo: a simulated fleet follows specs/ to the images that they declare."""
