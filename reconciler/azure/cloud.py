"""Facts about Azure for the options of commands. This module does not import the SDK of Azure."""

PUBLIC_CLOUD = "https://management.azure.com"
MAX_TENANTS = 3  # maximum number of other tenants whose tokens Azure accepts in a request
