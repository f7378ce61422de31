"""The gates that depend on other scale sets or on external checks."""
