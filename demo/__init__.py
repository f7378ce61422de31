"""The demo: a simulated fleet is rolled to the images that specs/ declares."""
