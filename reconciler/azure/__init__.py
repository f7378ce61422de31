"""The only door to Azure."""
