"""The forges, by the name that options and messages use."""

from collections.abc import Mapping

from reconciler.forge.azure_devops import AZURE_DEVOPS
from reconciler.forge.forge import Forge
from reconciler.forge.github import GITHUB
from reconciler.forge.gitlab import GITLAB

FORGES: Mapping[str, Forge] = {"github": GITHUB, "gitlab": GITLAB, "azure-devops": AZURE_DEVOPS}
