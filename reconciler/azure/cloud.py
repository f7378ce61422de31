"""Facts about Azure for command-line options. This module does not import the Azure SDK."""

PUBLIC_CLOUD = "https://management.azure.com"
MAX_TENANTS = 3  # maximum number of other tenants whose tokens Azure accepts in a request
