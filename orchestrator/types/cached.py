"""A property that is computed once, without a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

T_co = TypeVar("T_co", covariant=True)


class cached_property(Generic[T_co]):  # noqa: N801  the name that its readers know
    """As `functools.cached_property` from Python 3.12 on.

    Under Python 3.11 that one holds a lock for the whole class while it computes. A job that waits
    for its turn there would keep the lock from the jobs whose turn it is: none would go on.
    """

    def __init__(self, compute: Callable[[Any], T_co]) -> None:
        self.compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> T_co: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> Self | T_co:
        if instance is None:
            return self
        # Two threads may compute it at once; all are given the first of the results.
        value: T_co = instance.__dict__.setdefault(self.name, self.compute(instance))
        return value
