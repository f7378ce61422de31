"""Names for new specs: the name of the scale set, extended by its location if the name is not unique."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence

from reconciler.spec.scale_set import Target
from reconciler.spec.shape import fields

_LONGEST = int(fields("ScaleSet")["metadata", "name"]["maxLength"])


def names(targets: Iterable[Target], taken: Collection[str]) -> dict[Target, str]:
    """The shortest unique name for each target. No name is in `taken`.

    >>> names([Target("S", "shop", "web"), Target("S", "Blog", "web"), Target("S", "shop", "API_1")], ["a"])
    {Target(subscription='S', resource_group='shop', name='API_1'): 'api-1',\
 Target(subscription='S', resource_group='shop', name='web'): 'shop-web',\
 Target(subscription='S', resource_group='Blog', name='web'): 'blog-web'}
    """
    found: dict[Target, str] = {}
    used = set(taken)
    left: Sequence[Target] = tuple(targets)
    for form in _FORMS:
        wanted = Counter(map(form, left))
        fitting = [each for each in left if wanted[form(each)] == 1 and form(each) not in used | {""}]
        found |= {each: form(each) for each in fitting}
        used |= {form(each) for each in fitting}
        left = [each for each in left if each not in found]
    return found


def _join(*parts: str) -> str:
    """The parts as one name, "" if the result is empty or too long."""
    words = _words(*parts)
    return words if len(words) <= _LONGEST else ""


def _mark(target: Target) -> str:
    """A name that is always unique, if the other forms are too long, empty or taken."""
    digest = hashlib.sha256(target.key.encode()).hexdigest()[:12]
    return _words(_words(target.name)[: _LONGEST - len(digest) - 1], digest)


def _words(*parts: str) -> str:
    """The characters of the parts that are valid in a name.

    >>> _words("Shop", "api_1.(x)")
    'shop-api-1-x'
    """
    return "-".join(word for part in parts for word in re.findall("[a-z0-9]+", part.casefold()))


_FORMS: tuple[Callable[[Target], str], ...] = (
    lambda target: _join(target.name),
    lambda target: _join(target.resource_group, target.name),
    lambda target: _join(target.subscription[:8], target.resource_group, target.name),
    _mark,
)
