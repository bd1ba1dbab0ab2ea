"""What is freed as soon as nobody needs it, and what waits for the garbage collector."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def uncollected(*kinds: type) -> Iterator[Callable[[], int]]:
    """Keep the collector away; tells how many objects of some kinds there are that weren't before."""
    gc.collect()
    gc.disable()

    def there() -> int:
        return sum(type(each) in kinds for each in gc.get_objects())

    before = there()
    try:
        yield lambda: there() - before
    finally:
        gc.enable()
