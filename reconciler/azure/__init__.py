"""The only client of Azure."""
