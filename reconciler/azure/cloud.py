"""What Azure is known by without its SDK, for the options of commands."""

PUBLIC_CLOUD = "https://management.azure.com"
MAX_TENANTS = 3  # the number of other tenants that Azure accepts tokens of
